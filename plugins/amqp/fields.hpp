#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonwire::amqp {

/// AMQP's field tables (a message's headers, a queue's arguments), kept as the bytes that go over
/// the wire, and as JSON for scripts. Any thread.

/// JSON with the binary values that its `{"_placeholder":true,"num":n}` stand for.
struct FieldsJson {
    std::string json = "{}";
    std::vector<std::string> attachments = {};
};

/// The bytes of a JSON object; throws std::runtime_error, naming the field, for what AMQP has no
/// form for. Whole numbers are 64-bit ones, null is void. `attachments` are what placeholders mean.
std::string encode_fields(std::string_view json, const std::vector<std::string>& attachments = {});

/// The JSON object of such bytes. Texts that are not UTF-8 become attachments, numbered from
/// `first` on; a timestamp is its seconds. What can't be decoded, or nests too deeply, is left out.
FieldsJson decode_fields(std::string_view fields, std::size_t first = 0);

/// The same table with this field in it, in place of one of that name.
std::string with_field(std::string_view fields, std::string_view name, std::string_view text);
std::string with_field(std::string_view fields, std::string_view name, std::int64_t number);
std::string without_field(std::string_view fields, std::string_view name);

/// The field, if there is one of that kind.
std::optional<std::int64_t> number_field(std::string_view fields, std::string_view name);
std::optional<std::string> text_field(std::string_view fields, std::string_view name);

}  // namespace moonwire::amqp
