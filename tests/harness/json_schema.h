// As much of JSON Schema (draft 7) as the scenarios' schema uses, so that the schema can be tested without its editors.
// A keyword it does not know is an error, not a pass.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

class JsonSchema {
 public:
  explicit JsonSchema(nlohmann::json root) : root_(std::move(root)) {}

  bool accepts(const nlohmann::json& instance) const { return accepts(root_, instance); }

 private:
  using Json = nlohmann::json;

  bool accepts(const Json& schema, const Json& instance) const {
    if (schema.is_boolean()) return schema.get<bool>();
    return std::all_of(schema.items().begin(), schema.items().end(),
                       [&](const auto& keyword) { return holds(keyword.key(), keyword.value(), schema, instance); });
  }

  bool holds(const std::string& keyword, const Json& value, const Json& schema, const Json& instance) const {
    static const std::set<std::string> silent{"$schema", "title", "description", "definitions", "then"};
    if (silent.count(keyword) != 0) return true;
    if (keyword == "$ref") return accepts(root_.at(Json::json_pointer(value.get<std::string>().substr(1))), instance);
    if (keyword == "allOf") return matches(value, instance) == value.size();
    if (keyword == "anyOf") return matches(value, instance) > 0;
    if (keyword == "oneOf") return matches(value, instance) == 1;
    if (keyword == "not") return !accepts(value, instance);
    if (keyword == "if") return !accepts(value, instance) || accepts(schema.at("then"), instance);
    if (keyword == "enum") return std::find(value.begin(), value.end(), instance) != value.end();
    if (keyword == "type") return has_type(value, instance);
    if (instance.is_string()) return string_holds(keyword, value, instance.get<std::string>());
    if (instance.is_number()) return number_holds(keyword, value, instance.get<double>());
    if (instance.is_array()) return array_holds(keyword, value, instance);
    if (instance.is_object()) return object_holds(keyword, value, schema, instance);
    return true;
  }

  std::size_t matches(const Json& schemas, const Json& instance) const {
    return static_cast<std::size_t>(
        std::count_if(schemas.begin(), schemas.end(), [&](const Json& schema) { return accepts(schema, instance); }));
  }

  static bool has_type(const Json& types, const Json& instance) {
    if (types.is_array()) {
      return std::any_of(types.begin(), types.end(), [&](const Json& type) { return has_type(type, instance); });
    }
    const std::string type = types.get<std::string>();
    if (type == "integer") return instance.is_number_integer();
    if (type == "number") return instance.is_number();
    if (type == "string") return instance.is_string();
    if (type == "boolean") return instance.is_boolean();
    if (type == "array") return instance.is_array();
    if (type == "object") return instance.is_object();
    if (type == "null") return instance.is_null();
    throw std::runtime_error("unknown type " + type);
  }

  static bool string_holds(const std::string& keyword, const Json& value, const std::string& text) {
    if (keyword == "pattern") return std::regex_search(text, std::regex(value.get<std::string>()));
    if (keyword == "minLength") return text.size() >= value.get<std::size_t>();
    return known(keyword);
  }

  static bool number_holds(const std::string& keyword, const Json& value, double number) {
    if (keyword == "minimum") return number >= value.get<double>();
    if (keyword == "exclusiveMinimum") return number > value.get<double>();
    return known(keyword);
  }

  bool array_holds(const std::string& keyword, const Json& value, const Json& array) const {
    if (keyword == "minItems") return array.size() >= value.get<std::size_t>();
    if (keyword == "items") {
      return std::all_of(array.begin(), array.end(), [&](const Json& item) { return accepts(value, item); });
    }
    return known(keyword);
  }

  bool object_holds(const std::string& keyword, const Json& value, const Json& schema, const Json& object) const {
    const auto every_key = [&](const auto& check) {
      return std::all_of(object.items().begin(), object.items().end(),
                         [&](const auto& item) { return check(item.key(), item.value()); });
    };
    if (keyword == "minProperties") return object.size() >= value.get<std::size_t>();
    if (keyword == "maxProperties") return object.size() <= value.get<std::size_t>();
    if (keyword == "required") {
      return std::all_of(value.begin(), value.end(), [&](const Json& key) { return object.contains(key); });
    }
    if (keyword == "propertyNames") {
      return every_key([&](const std::string& key, const Json&) { return accepts(value, key); });
    }
    if (keyword == "properties") {
      return every_key(
          [&](const std::string& key, const Json& item) { return !value.contains(key) || accepts(value[key], item); });
    }
    if (keyword == "patternProperties") {
      return every_key([&](const std::string& key, const Json& item) {
        if (schema.contains("properties") && schema["properties"].contains(key)) return true;
        return std::all_of(value.items().begin(), value.items().end(), [&](const auto& pattern) {
          return !std::regex_search(key, std::regex(pattern.key())) || accepts(pattern.value(), item);
        });
      });
    }
    if (keyword == "additionalProperties") {
      return every_key(
          [&](const std::string& key, const Json& item) { return is_named(schema, key) || accepts(value, item); });
    }
    if (keyword == "dependencies") {
      return std::all_of(value.items().begin(), value.items().end(), [&](const auto& dependency) {
        return !object.contains(dependency.key()) || accepts(dependency.value(), object);
      });
    }
    return known(keyword);
  }

  static bool is_named(const Json& schema, const std::string& key) {
    if (schema.contains("properties") && schema["properties"].contains(key)) return true;
    if (!schema.contains("patternProperties")) return false;
    const auto& patterns = schema["patternProperties"].items();
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const auto& pattern) { return std::regex_search(key, std::regex(pattern.key())); });
  }

  // Keywords that say nothing about this kind of instance.
  static bool known(const std::string& keyword) {
    static const std::set<std::string> all{"pattern",
                                           "minLength",
                                           "minimum",
                                           "exclusiveMinimum",
                                           "minItems",
                                           "items",
                                           "minProperties",
                                           "maxProperties",
                                           "required",
                                           "propertyNames",
                                           "properties",
                                           "patternProperties",
                                           "additionalProperties",
                                           "dependencies"};
    if (all.count(keyword) == 0) throw std::runtime_error("unknown keyword " + keyword);
    return true;
  }

  Json root_;
};
