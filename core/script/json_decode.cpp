#include "core/script/json_decode.hpp"

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <lua.hpp>
#include <memory>
#include <string>

#include "core/base/utf8.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

// Recursive parsing is the faster of RapidJSON's two, and the handlers stop it at kMaxJsonDepth.
// Numbers come as text: RapidJSON 1.1's own conversion loses digits of big integers and reads out
// of bounds for exponents near -2^31.
constexpr unsigned kParseFlags =
    rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag;

constexpr double kMaxExactInteger = 9007199254740992.0;  // 2^53
constexpr std::array<double, 16> kPowersOfTen = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
constexpr int kMaxArguments = 200;
constexpr int kPollInterval = 4096;  // values between two looks at the watchdog's hook

/// RapidJSON writes in place, so it gets a copy that ends in a zero; a small one on the stack.
class Scratch {
public:
    explicit Scratch(std::string_view text) : size_(text.size()) {
        if (size_ >= inline_.size()) heap_ = std::make_unique_for_overwrite<char[]>(size_ + 1);
        if (size_ != 0) std::memcpy(data(), text.data(), size_);
        data()[size_] = '\0';
    }
    char* data() noexcept { return heap_ ? heap_.get() : inline_.data(); }
    std::size_t size() const noexcept { return size_; }

private:
    std::size_t size_;
    std::unique_ptr<char[]> heap_;
    std::array<char, 4096> inline_;
};

using Stream = rapidjson::InsituStringStream;

/// What every reading of JSON shares: where it stands, how deep, and its own reasons to stop.
class Reading {
public:
    Reading(std::string_view text, Scratch& scratch)
        : scratch_(scratch), stream_(scratch.data()), may_escape_(text.find('\\') != text.npos) {}

    /// An Error unless one whole text was read.
    template <typename Handler>
    Result<void> run(Handler& handler) {
        const auto result = reader_.Parse<kParseFlags>(stream_, handler);
        if (result.IsError())
            return at_byte(result.Offset(),
                           problem_ ? problem_ : rapidjson::GetParseError_En(result.Code()));
        // A zero byte looks like the end to RapidJSON.
        if (stream_.Tell() != scratch_.size())
            return at_byte(stream_.Tell(),
                           "The document root must not be followed by other values.");
        return {};
    }

    static Error at_byte(std::size_t offset, const char* what) {
        return {"invalid JSON at byte " + std::to_string(offset) + ": " + what};
    }

protected:
    bool fail(const char* problem) {
        problem_ = problem;
        return false;
    }
    bool enter() { return ++depth_ <= kMaxJsonDepth || fail("Nested deeper than 64 levels."); }
    /// RapidJSON takes a low surrogate on its own ("\udc00") for a character; it is none.
    bool is_text(const char* text, std::size_t length) {
        if (!may_escape_) return true;
        const char* const end = text + length;
        while (text != end) {
            const auto* lead = static_cast<const char*>(
                std::memchr(text, 0xed, static_cast<std::size_t>(end - text)));
            if (!lead) return true;
            if (static_cast<unsigned char>(lead[1]) > 0x9f)
                return fail("The surrogate pair in string is invalid.");
            text = lead + 1;
        }
        return true;
    }
    /// The number's value, or an integer that no double holds: its text.
    bool number(std::string_view text, double& value, bool& exact) {
        if (short_number(text, value)) return exact = true;
        return long_number(text, value, exact);
    }

    int depth_ = 0;

private:
    bool long_number(std::string_view text, double& value, bool& exact) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc()) {
            // Too small is zero, and so it is for everyone else.
            if (!is_tiny(text)) return fail("Number too big to be stored in double.");
            value = 0;
        }
        exact = std::fabs(value) < kMaxExactInteger ||
                text.find_first_not_of("-0123456789") != text.npos ||
                (std::fabs(value) == kMaxExactInteger && text.ends_with("9007199254740992"));
        return true;
    }
    /// Most numbers: up to 15 digits and no exponent. They and the power of ten are exact as doubles,
    /// so that one division rounds right (Clinger's fast path).
    static bool short_number(std::string_view text, double& value) {
        const char* at = text.data();
        const char* const end = at + text.size();
        const bool negative = *at == '-';
        at += negative;
        if (end - at > 15) return false;
        std::uint64_t digits = 0;
        const auto read_digits = [&] {
            for (unsigned digit = 0; at != end && (digit = static_cast<unsigned>(*at - '0')) <= 9; ++at)
                digits = 10 * digits + digit;
        };
        read_digits();
        std::size_t places = 0;
        if (at != end && *at == '.') {
            const char* const point = at++;
            read_digits();
            places = static_cast<std::size_t>(at - point) - 1;
        }
        if (at != end) return false;
        value = static_cast<double>(digits);
        if (places != 0) value /= kPowersOfTen[places];
        if (negative) value = -value;
        return true;
    }
    /// Of a number out of a double's range: whether by being too close to zero.
    static bool is_tiny(std::string_view text) {
        const std::size_t exponent = text.find_first_of("eE");
        if (exponent != text.npos && exponent + 1 < text.size()) return text[exponent + 1] == '-';
        return text.starts_with("0.") || text.starts_with("-0.");
    }

    Scratch& scratch_;
    Stream stream_;
    rapidjson::Reader reader_;
    const char* problem_ = nullptr;
    const bool may_escape_;
};

/// Only asks whether the text holds.
class Validator : public Reading,
                  public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Validator> {
public:
    using Reading::Reading;

    bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
        double value = 0;
        bool exact = false;
        return number({text, length}, value, exact);
    }
    bool String(const char* text, rapidjson::SizeType length, bool) {
        return is_text(text, length);
    }
    bool Key(const char* text, rapidjson::SizeType length, bool) { return is_text(text, length); }
    bool StartObject() { return enter(); }
    bool EndObject(rapidjson::SizeType) { return leave(); }
    bool StartArray() { return enter(); }
    bool EndArray(rapidjson::SizeType) { return leave(); }

private:
    bool leave() {
        --depth_;
        return true;
    }
};

/// Asks the same, and notes the fields of pick_fields.
class FieldPicker : public Reading,
                    public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, FieldPicker> {
public:
    FieldPicker(std::string_view text, Scratch& scratch, std::span<const std::string> names,
                std::span<std::optional<std::string>> values)
        : Reading(text, scratch), names_(names), values_(values) {}

    bool Null() { return value({}); }
    bool Bool(bool) { return value({}); }
    bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
        const std::string_view digits(text, length);
        double ignored = 0;
        bool exact = false;
        const bool whole = digits.find_first_not_of("-0123456789") == digits.npos;
        return number(digits, ignored, exact) && value(whole ? digits : std::string_view());
    }
    bool String(const char* text, rapidjson::SizeType length, bool) {
        return is_text(text, length) && value({text, length});
    }
    bool Key(const char* text, rapidjson::SizeType length, bool) {
        field_ = values_.size();
        if (depth_ == 2 && element_ == 1)
            field_ = static_cast<std::size_t>(
                std::find(names_.begin(), names_.end(), std::string_view(text, length)) -
                names_.begin());
        return is_text(text, length);
    }
    bool StartObject() { return value({}) && enter(); }
    bool EndObject(rapidjson::SizeType) { return leave(); }
    bool StartArray() { return value({}) && enter(); }
    bool EndArray(rapidjson::SizeType) { return leave(); }

private:
    /// A value begins; `text` has no data if it can't be a field's.
    bool value(std::string_view text) {
        if (depth_ == 1) ++element_;
        if (depth_ == 2 && element_ == 1 && field_ < values_.size()) {
            values_[field_].reset();  // of two fields with one name the last counts
            if (text.data()) values_[field_] = text;
        }
        return true;
    }
    bool leave() {
        --depth_;
        return true;
    }

    const std::span<const std::string> names_;
    const std::span<std::optional<std::string>> values_;
    std::size_t field_ = 0;
    int element_ = -1;
};

/// Builds the values on the Lua stack. A container's values wait there, so that its table is made
/// with the right size; a large one's are moved into the table in runs, for the stack is small.
class Decoder : public Reading, public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Decoder> {
public:
    /// `arguments`: the text is an array whose elements stay on the stack, but for the first
    /// `skip`.
    Decoder(std::string_view text, Scratch& scratch, std::span<const SharedBytes> attachments,
            bool arguments, int skip)
        : Reading(text, scratch), attachments_(attachments), arguments_(arguments), skip_(skip) {}

    /// Within Vm::protect: leaves the values, or nothing and the Error in `result`.
    int decode(lua_State* state, Result<void>& result) {
        state_ = state;
        result = run(*this);
        if (!result) lua_settop(state, 0);
        return lua_gettop(state);
    }

    bool Null() {
        if (!room()) return false;
        push_null(state_);
        return added();
    }
    bool Bool(bool value) {
        if (!room()) return false;
        lua_pushboolean(state_, value);
        return added();
    }
    bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
        if (!room()) return false;
        double value = 0;
        bool exact = false;
        if (!number({text, length}, value, exact)) return false;
        if (exact) lua_pushnumber(state_, value);
        else lua_pushlstring(state_, text, length);
        return added();
    }
    bool String(const char* text, rapidjson::SizeType length, bool) {
        if (!room() || !is_text(text, length)) return false;
        lua_pushlstring(state_, text, length);
        return added();
    }
    bool Key(const char* text, rapidjson::SizeType length, bool) {
        if (!room() || !is_text(text, length)) return false;
        lua_pushlstring(state_, text, length);
        return true;
    }
    bool StartObject() { return open(true); }
    bool StartArray() { return open(false); }

    bool EndObject(rapidjson::SizeType members) {
        Level& level = levels_[static_cast<std::size_t>(depth_)];
        if (level.stored == 0 && members == 2 && !attachments_.empty()) {
            switch (placeholder()) {
                case Placeholder::none: break;
                case Placeholder::replaced: --depth_; return added();
                case Placeholder::invalid: return fail("A placeholder names no attachment.");
            }
        }
        store_members(level);
        --depth_;
        return added();
    }

    bool EndArray(rapidjson::SizeType) {
        if (depth_ == 1 && arguments_) {
            --depth_;
            return true;
        }
        Level& level = levels_[static_cast<std::size_t>(depth_)];
        store_elements(level);
        mark_array(state_, -1);
        --depth_;
        return added();
    }

private:
    struct Level {
        bool object;
        int stored;  // in the table, which then is below the waiting values
        int count;   // waiting
    };
    static constexpr int kSlotsAtOnce = 64, kSpareSlots = 8;
    static constexpr int kRun = 32;  // 64 levels of 32 pairs stay within LuaJIT's 8000 slots

    bool room() {
        if (depth_ == 0 && arguments_) return fail("An array is expected.");
        if (--free_slots_ < kSpareSlots) {
            luaL_checkstack(state_, kSlotsAtOnce, "JSON");
            free_slots_ = kSlotsAtOnce;
        }
        return true;
    }

    bool open(bool object) {
        const bool argument_list = depth_ == 0 && arguments_ && !object;
        if (!(argument_list || room()) || !enter()) return false;
        levels_[static_cast<std::size_t>(depth_)] = {object, 0, 0};
        return true;
    }

    /// A value is complete on the stack.
    bool added() {
        if (++values_ % kPollInterval == 0 && lua_gethookmask(state_) != 0)
            return fail("Decoding was stopped.");
        if (depth_ == 0) return true;
        Level& level = levels_[static_cast<std::size_t>(depth_)];
        ++level.count;
        if (depth_ == 1 && arguments_) {
            if (level.count <= skip_) lua_pop(state_, 1);
            else if (level.count - skip_ > kMaxArguments) return fail("More than 200 arguments.");
        } else if (level.count == kRun) {
            if (level.object) store_members(level);
            else store_elements(level);
        }
        return true;
    }

    /// Leaves the table on top with the waiting elements in it.
    void store_elements(Level& level) {
        const int first = lua_gettop(state_) - level.count + 1;
        if (level.stored == 0) {
            lua_createtable(state_, level.count, 0);
            lua_insert(state_, first);
        }
        const int table = level.stored == 0 ? first : first - 1;
        for (int i = level.count; i > 0; --i) lua_rawseti(state_, table, level.stored + i);
        level.stored += level.count;
        level.count = 0;
    }

    /// The same for members; in their order, so that of two with one name the last one counts.
    void store_members(Level& level) {
        const int first = lua_gettop(state_) - 2 * level.count + 1;
        if (level.stored == 0) {
            lua_createtable(state_, 0, level.count);
            lua_insert(state_, first);
        }
        const int table = level.stored == 0 ? first : first - 1;
        const int top = table + 2 * level.count;
        for (int pair = table + 1; pair < top; pair += 2) {
            lua_pushvalue(state_, pair);
            lua_pushvalue(state_, pair + 1);
            lua_rawset(state_, table);
        }
        lua_settop(state_, table);
        level.stored += level.count;
        level.count = 0;
    }

    enum class Placeholder { none, replaced, invalid };

    /// Of the two members on top.
    Placeholder placeholder() {
        const auto key_is = [&](int index, std::string_view name) {
            std::size_t length = 0;
            const char* text = lua_tolstring(state_, index, &length);
            return std::string_view(text, length) == name;
        };
        const bool mark_first = key_is(-4, "_placeholder") && key_is(-2, "num");
        if (!mark_first && !(key_is(-4, "num") && key_is(-2, "_placeholder")))
            return Placeholder::none;
        const int mark = mark_first ? -3 : -1, number = mark_first ? -1 : -3;
        if (!lua_isboolean(state_, mark) || !lua_toboolean(state_, mark)) return Placeholder::none;
        const double index =
            lua_type(state_, number) == LUA_TNUMBER ? lua_tonumber(state_, number) : -1;
        if (!(index >= 0 && index < static_cast<double>(attachments_.size())) ||
            index != std::floor(index))
            return Placeholder::invalid;
        lua_pop(state_, 4);
        push_bytes(state_, attachments_[static_cast<std::size_t>(index)]);
        return Placeholder::replaced;
    }

    const std::span<const SharedBytes> attachments_;
    const bool arguments_;
    const int skip_;
    lua_State* state_ = nullptr;
    std::uint32_t values_ = 0;
    int free_slots_ = 0;  // at least; what is popped is not given back
    std::array<Level, kMaxJsonDepth + 1> levels_;
};

Result<int> decode(lua_State* state, std::string_view json,
                   std::span<const SharedBytes> attachments, bool arguments, int skip) {
    if (const std::size_t valid = valid_utf8_prefix(json); valid != json.size())
        return Reading::at_byte(valid, "Invalid UTF-8.");
    Scratch scratch(json);
    Decoder decoder(json, scratch, attachments, arguments, skip);
    Result<void> result;
    const Result<int> count =
        Vm::protect(state, 0, [&](lua_State* inner) { return decoder.decode(inner, result); });
    if (!count) return count;
    if (!result) return result.error();
    return count;
}

}  // namespace

Result<void> decode_json(lua_State* state, std::string_view json,
                         std::span<const SharedBytes> attachments) {
    const Result<int> count = decode(state, json, attachments, false, 0);
    if (!count) return count.error();
    return {};
}

Result<int> decode_json_array(lua_State* state, std::string_view json,
                              std::span<const SharedBytes> attachments, int skip) {
    return decode(state, json, attachments, true, skip);
}

bool pick_fields(std::string_view json, std::span<const std::string> names,
                 std::span<std::optional<std::string>> values) {
    if (names.empty()) return is_valid_json(json);
    if (valid_utf8_prefix(json) != json.size()) return false;
    Scratch scratch(json);
    FieldPicker picker(json, scratch, names, values);
    return picker.run(picker).has_value();
}

bool is_valid_json(std::string_view json) {
    if (valid_utf8_prefix(json) != json.size()) return false;
    Scratch scratch(json);
    Validator validator(json, scratch);
    return validator.run(validator).has_value();
}

}  // namespace moonwire::script
