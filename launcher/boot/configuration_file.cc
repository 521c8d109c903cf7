#include "launcher/boot/configuration_file.h"

#include <stdexcept>

#include "launcher/base/files.h"
#include "launcher/base/helper.h"

namespace boot {

base::Result<config::Invocation> read_configuration(const std::vector<std::string>& arguments,
                                                    const config::Environment& environment, base::Waiter& waiter) {
  const auto read_file = [&](const std::string& path) -> base::Result<std::string> {
    return base::call_helper(waiter, "read " + path, base::Seconds(60), [&] {
      auto content = base::read_file(path);
      if (!content) throw std::runtime_error(content.error().message());
      return *content;
    });
  };
  return config::understand(arguments, environment, read_file);
}

base::TimePoint when_to_read_again(const std::vector<std::string>& arguments, const config::Environment& environment) {
  if (config::file_of(arguments, environment).empty()) return base::kForever;
  return base::Clock::now() + kReadConfigurationEvery;
}

}  // namespace boot
