#include "plugins/amqp/fields.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>
#include <stdexcept>

#include "plugins/amqp/field_table.hpp"
#include "plugins/amqp/message.hpp"

namespace moonwire::amqp {
namespace {

constexpr int kMaxDepth = 32;

std::string_view json_text(const rapidjson::Value& value) {
    return {value.GetString(), value.GetStringLength()};
}

/// JSON to fields. The texts stay in the document.
class FieldReader {
public:
    FieldReader(FieldPool& pool, const std::vector<std::string>& attachments)
        : pool_(pool), attachments_(attachments) {}

    amqp_table_t table(const rapidjson::Value& object, const std::string& path, int depth) {
        amqp_table_t table{0, pool_.make<amqp_table_entry_t>(object.MemberCount())};
        for (const auto& member : object.GetObject()) {
            const std::string name(json_text(member.name));
            if (name.size() > kMaxShortBytes)
                throw std::runtime_error(path + ": a field's name has at most 255 bytes");
            table.entries[table.num_entries++] = {
                bytes_of(json_text(member.name)),
                value(member.value, path.empty() ? name : path + "." + name, depth)};
        }
        return table;
    }

private:
    amqp_field_value_t value(const rapidjson::Value& json, const std::string& path, int depth) {
        if (depth > kMaxDepth) throw std::runtime_error(path + ": nests too deeply");
        amqp_field_value_t field{};
        field.kind = AMQP_FIELD_KIND_VOID;
        if (json.IsBool()) {
            field.kind = AMQP_FIELD_KIND_BOOLEAN;
            field.value.boolean = json.GetBool();
        } else if (json.IsInt64()) {
            field.kind = AMQP_FIELD_KIND_I64;
            field.value.i64 = json.GetInt64();
        } else if (json.IsNumber()) {  // RabbitMQ has no unsigned 64-bit numbers
            field.kind = AMQP_FIELD_KIND_F64;
            field.value.f64 = json.GetDouble();
        } else if (json.IsString()) {
            field.kind = AMQP_FIELD_KIND_UTF8;
            field.value.bytes = bytes_of(json_text(json));
        } else if (json.IsArray()) {
            field.kind = AMQP_FIELD_KIND_ARRAY;
            field.value.array = {0, pool_.make<amqp_field_value_t>(json.Size())};
            for (const auto& each : json.GetArray()) {
                const int at = field.value.array.num_entries++;
                field.value.array.entries[at] =
                    value(each, path + "[" + std::to_string(at + 1) + "]", depth + 1);
            }
        } else if (json.IsObject() && is_placeholder(json)) {
            field.kind = AMQP_FIELD_KIND_BYTES;
            field.value.bytes = bytes_of(attachments_[json["num"].GetUint()]);
        } else if (json.IsObject()) {
            field.kind = AMQP_FIELD_KIND_TABLE;
            field.value.table = table(json, path, depth + 1);
        }
        return field;
    }

    bool is_placeholder(const rapidjson::Value& object) const {
        const auto mark = object.FindMember("_placeholder"), number = object.FindMember("num");
        return mark != object.MemberEnd() && mark->value.IsTrue() && number != object.MemberEnd() &&
               number->value.IsUint() && number->value.GetUint() < attachments_.size();
    }

    FieldPool& pool_;
    const std::vector<std::string>& attachments_;
};

/// Fields to JSON.
class FieldWriter {
public:
    explicit FieldWriter(std::size_t first) : first_(first) {}

    void table(const amqp_table_t& table, int depth) {
        writer_.StartObject();
        for (int i = 0; i < table.num_entries; ++i) {
            const std::string_view name = text_of(table.entries[i].key);
            if (!is_utf8(name)) continue;
            writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
            value(table.entries[i].value, depth);
        }
        writer_.EndObject();
    }
    FieldsJson take() { return {buffer_.GetString(), std::move(attachments_)}; }

private:
    void value(const amqp_field_value_t& field, int depth) {
        if (depth > kMaxDepth) {
            writer_.Null();
            return;
        }
        const auto& value = field.value;
        switch (field.kind) {
            case AMQP_FIELD_KIND_BOOLEAN: writer_.Bool(value.boolean != 0); break;
            case AMQP_FIELD_KIND_I8: writer_.Int(value.i8); break;
            case AMQP_FIELD_KIND_U8: writer_.Int(value.u8); break;
            case AMQP_FIELD_KIND_I16: writer_.Int(value.i16); break;
            case AMQP_FIELD_KIND_U16: writer_.Int(value.u16); break;
            case AMQP_FIELD_KIND_I32: writer_.Int(value.i32); break;
            case AMQP_FIELD_KIND_U32: writer_.Uint(value.u32); break;
            case AMQP_FIELD_KIND_I64: writer_.Int64(value.i64); break;
            case AMQP_FIELD_KIND_U64:
            case AMQP_FIELD_KIND_TIMESTAMP: writer_.Uint64(value.u64); break;
            case AMQP_FIELD_KIND_F32: number(static_cast<double>(value.f32)); break;
            case AMQP_FIELD_KIND_F64: number(value.f64); break;
            case AMQP_FIELD_KIND_DECIMAL: number(decimal(value.decimal)); break;
            case AMQP_FIELD_KIND_UTF8: text(text_of(value.bytes)); break;
            case AMQP_FIELD_KIND_BYTES: attach(text_of(value.bytes)); break;
            case AMQP_FIELD_KIND_TABLE: table(value.table, depth + 1); break;
            case AMQP_FIELD_KIND_ARRAY:
                writer_.StartArray();
                for (int i = 0; i < value.array.num_entries; ++i)
                    this->value(value.array.entries[i], depth + 1);
                writer_.EndArray();
                break;
            default: writer_.Null();
        }
    }

    /// JSON has no infinity, and no NaN.
    void number(double number) {
        if (std::isfinite(number)) writer_.Double(number);
        else writer_.Null();
    }
    void text(std::string_view text) {
        if (is_utf8(text))
            writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
        else attach(text);
    }
    void attach(std::string_view bytes) {
        writer_.StartObject();
        writer_.Key("_placeholder");
        writer_.Bool(true);
        writer_.Key("num");
        writer_.Uint64(first_ + attachments_.size());
        writer_.EndObject();
        attachments_.emplace_back(bytes);
    }
    static double decimal(const amqp_decimal_t& decimal) {
        double number = decimal.value;
        for (int i = 0; i < decimal.decimals; ++i) number /= 10;
        return number;
    }
    static bool is_utf8(std::string_view text) {
        rapidjson::MemoryStream stream(text.data(), text.size());
        rapidjson::StringBuffer copy;
        while (stream.Tell() < text.size())
            if (!rapidjson::UTF8<>::Validate(stream, copy)) return false;
        return true;
    }

    const std::size_t first_;
    rapidjson::StringBuffer buffer_;
    rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
    std::vector<std::string> attachments_;
};

/// A copy of the table with room for one more, without the field of that name.
amqp_table_t copy_without(FieldPool& pool, const amqp_table_t& table, std::string_view name) {
    amqp_table_t copy{
        0, pool.make<amqp_table_entry_t>(static_cast<std::size_t>(table.num_entries) + 1)};
    for (int i = 0; i < table.num_entries; ++i)
        if (text_of(table.entries[i].key) != name)
            copy.entries[copy.num_entries++] = table.entries[i];
    return copy;
}

std::string with_value(std::string_view fields, std::string_view name, amqp_field_value_t value) {
    FieldPool pool;
    amqp_table_t table = copy_without(pool, pool.table(fields), name);
    table.entries[table.num_entries++] = {bytes_of(name), value};
    return encode_table(table);
}

std::optional<amqp_field_value_t> find(const amqp_table_t& table, std::string_view name) {
    for (int i = 0; i < table.num_entries; ++i)
        if (text_of(table.entries[i].key) == name) return table.entries[i].value;
    return std::nullopt;
}

}  // namespace

std::string encode_table(const amqp_table_t& table) {
    if (table.num_entries == 0) return {};
    std::string encoded(kMaxHeadersBytes, '\0');
    amqp_table_t copy = table;
    size_t size = 0;
    if (amqp_encode_table(bytes_of(encoded), &copy, &size) != AMQP_STATUS_OK)
        throw std::runtime_error("are larger than " + std::to_string(kMaxHeadersBytes) + " bytes");
    encoded.resize(size);
    return encoded;
}

std::string encode_fields(std::string_view json, const std::vector<std::string>& attachments) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
    if (document.HasParseError() || !document.IsObject())
        throw std::runtime_error("are no table with names");
    FieldPool pool;
    return encode_table(FieldReader(pool, attachments).table(document, "", 1));
}

FieldsJson decode_fields(std::string_view fields, std::size_t first) {
    FieldPool pool;
    FieldWriter writer(first);
    writer.table(pool.table(fields), 1);
    return writer.take();
}

std::string with_field(std::string_view fields, std::string_view name, std::string_view text) {
    amqp_field_value_t value{};
    value.kind = AMQP_FIELD_KIND_UTF8;
    value.value.bytes = bytes_of(text);
    return with_value(fields, name, value);
}

std::string with_field(std::string_view fields, std::string_view name, std::int64_t number) {
    amqp_field_value_t value{};
    value.kind = AMQP_FIELD_KIND_I64;
    value.value.i64 = number;
    return with_value(fields, name, value);
}

std::string without_field(std::string_view fields, std::string_view name) {
    FieldPool pool;
    return encode_table(copy_without(pool, pool.table(fields), name));
}

std::optional<std::int64_t> number_field(std::string_view fields, std::string_view name) {
    FieldPool pool;
    const auto field = find(pool.table(fields), name);
    if (!field) return std::nullopt;
    switch (field->kind) {
        case AMQP_FIELD_KIND_I64: return field->value.i64;
        case AMQP_FIELD_KIND_I32: return field->value.i32;
        case AMQP_FIELD_KIND_I16: return field->value.i16;
        case AMQP_FIELD_KIND_I8: return field->value.i8;
        default: return std::nullopt;
    }
}

std::optional<std::string> text_field(std::string_view fields, std::string_view name) {
    FieldPool pool;
    const auto field = find(pool.table(fields), name);
    if (!field || field->kind != AMQP_FIELD_KIND_UTF8) return std::nullopt;
    return std::string(text_of(field->value.bytes));
}

}  // namespace moonwire::amqp
