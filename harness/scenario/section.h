// A section is a map with known keys. Its table says which there are and how each is read; the schema is held against
// the same tables.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/scenario/reader.h"

namespace scenario {

template <class T>
struct Field {
  std::string key;
  std::function<void(Reader&, const YAML::Node&, T&)> read;
  bool required = false;
};

template <class T>
using Section = std::vector<Field<T>>;

template <class T>
Names keys_of(const Section<T>& section) {
  Names keys;
  for (const Field<T>& field : section) keys.push_back(field.key);
  return keys;
}

template <class T>
void read_section(Reader& reader, const YAML::Node& node, const Section<T>& section, T& target) {
  std::vector<std::string> required;
  for (const Field<T>& field : section) {
    if (field.required) required.push_back(field.key);
  }
  reader.known_entries(node, keys_of(section), required,
                       [&](std::size_t index, const YAML::Node& value) { section[index].read(reader, value, target); });
}

}  // namespace scenario
