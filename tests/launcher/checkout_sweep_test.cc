// Every file under .git, one at a time, damaged in every general way: the same promises as for the catalogue. The
// normal run takes a seeded sample; PODLAUNCH_SLOW_TESTS=1 takes all.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "damage.h"
#include "lived_in.h"

namespace checkout {
namespace {

struct Way {
  std::string name;
  void (*apply)(const fs::path&);
};

const std::vector<Way>& ways() {
  static const std::vector<Way> all = {
      {"deleted", [](const fs::path& path) { fs::remove(path); }},
      {"emptied", Damager::empty},
      {"halved", Damager::truncate},
      {"zeroed", Damager::zero},
      {"flipped", Damager::flip},
      {"folder", Damager::folder},
      {"mode 000", [](const fs::path& path) { fs::permissions(path, fs::perms::none); }},
  };
  return all;
}

struct Case {
  fs::path file;  // relative to the checkout
  Way way;
};

std::vector<Case> all_cases(const fs::path& checkout) {
  std::vector<Case> cases;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(checkout / ".git")) {
    if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(checkout));
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    for (const Way& way : ways()) cases.push_back({file, way});
  }
  return cases;
}

// Does the object or pack hold the only copy of a mark? Then its damage may take the mark with it.
bool is_object(const fs::path& file) {
  return file.string().starts_with(".git/objects/");
}

class Sweep : public testing::TestWithParam<Storage> {};

TEST_P(Sweep, OfEveryFileLosesNothing) {
  LivedIn world(GetParam());
  auto cases = all_cases(world.path);
  const char* only = std::getenv("PODLAUNCH_TEST_SWEEP");  // "<file> <way>"
  if (only == nullptr && !slow_tests()) {
    const char* seed = std::getenv("PODLAUNCH_TEST_SEED");
    std::mt19937 random(seed != nullptr ? static_cast<unsigned>(std::atoi(seed)) : 1U);
    std::shuffle(cases.begin(), cases.end(), random);
    cases.resize(std::min<std::size_t>(cases.size(), 20));
  }
  for (const Case& one : cases) {
    const std::string title = one.file.string() + " " + one.way.name;
    if (only != nullptr && title != only) continue;
    SCOPED_TRACE("sweep: " + title + ", " + name_of(GetParam()));
    world.reset();
    one.way.apply(world.path / one.file);
    Request request = world.request();
    request.deep = true;
    const auto outcome = bring_up(request);
    const std::string story = outcome ? all_of(*outcome) : outcome.error().message();
    EXPECT_TRUE(outcome.has_value()) << story;
    if (!outcome) continue;
    EXPECT_FALSE(outcome->cloned) << story;
    EXPECT_TRUE(world.fsck_is_clean()) << world.fsck() << story;
    for (const std::string& mark : world.lost()) {
      EXPECT_TRUE(is_object(one.file) && one.way.name != "mode 000") << mark << " is lost\n" << story;
    }
    const auto again = bring_up(request);
    EXPECT_TRUE(again && again->done.empty())
        << "the second boot did something: " << (again ? all_of(*again) : again.error().message());
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Sweep, testing::Values(Storage::kLoose, Storage::kPacked, Storage::kMixed),
                         [](const auto& test) { return name_of(test.param); });

}  // namespace
}  // namespace checkout
