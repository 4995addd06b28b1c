#pragma once

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

/// What nodes answer, read without trust: a field that is missing or of another type than expected is empty.
namespace continuo::tools {

/// The field as text: a string as it is, null and what is missing as nothing, all else as JSON.
std::string text_at(const nlohmann::json& from, const char* field);

/// The field if it is an array, else an empty one.
const nlohmann::json& list_at(const nlohmann::json& from, const char* field);

/// The field if it is a number from 0, else 0.
std::uint64_t number_at(const nlohmann::json& from, const char* field);

/// The field, null where it is missing.
const nlohmann::json& field_at(const nlohmann::json& from, const char* field);

/// A value as text, as `text_at` has it.
std::string text_of(const nlohmann::json& value);

/// The elements of an array, with commas between.
std::string joined(const nlohmann::json& list);

/// `TYPE KEY` of an object with these fields; the type alone where the key is empty, as a service's is.
std::string address_text(const nlohmann::json& instance);

/// Reads RFC 3339.
std::optional<std::chrono::system_clock::time_point> time_of(const nlohmann::json& text);

/// How long ago that was; at least 0.
std::chrono::milliseconds since(std::chrono::system_clock::time_point then);

/// "3.4 s" since the time in that field, for people; empty where there is none.
std::string age_at(const nlohmann::json& from, const char* field);

} // namespace continuo::tools
