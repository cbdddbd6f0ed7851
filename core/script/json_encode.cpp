#include "core/script/json_encode.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <lua.hpp>

#include "core/base/json_text.hpp"
#include "core/base/utf8.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/raw_json.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

constexpr double kExactIntegers = 9007199254740992.0;  // 2^53
constexpr int kPollInterval = 4096;                    // values between two looks at the hook

/// Writes what a decimal of at most six places says, as most measured values and places on a map do;
/// false if it takes more. Below 2^33 doubles lie closer than 1e-6, so no other such decimal means
/// the same one.
bool append_short_decimal(std::string& out, double value) {
    constexpr double kScale = 1e6, kLimit = 8589934592.0, kMinValue = 1e-3;
    const double magnitude = std::fabs(value);
    if (!(magnitude < kLimit && magnitude >= kMinValue)) return false;
    auto digits = static_cast<std::uint64_t>(magnitude * kScale + 0.5);
    if (static_cast<double>(digits) / kScale != magnitude) return false;
    std::array<char, 24> text;
    char* at = text.end();
    bool places = false;  // zeros at the end are left out
    for (int i = 0; i < 6; ++i, digits /= 10) {
        const char digit = static_cast<char>('0' + digits % 10);
        if (!places && digit == '0') continue;
        places = true;
        *--at = digit;
    }
    *--at = '.';
    do *--at = static_cast<char>('0' + digits % 10);
    while (digits /= 10);
    if (value < 0) *--at = '-';
    out.append(at, static_cast<std::size_t>(text.end() - at));
    return true;
}

void append_number(std::string& out, double value) {
    std::array<char, 32> text;
    std::to_chars_result result{};
    if (std::fabs(value) <= kExactIntegers) {
        const auto whole = static_cast<std::int64_t>(value);
        if (static_cast<double>(whole) != value) {
            if (append_short_decimal(out, value)) return;
            result = std::to_chars(text.begin(), text.end(), value);
        } else {
            result = std::to_chars(text.begin(), text.end(), whole);
        }
    } else {  // with an exponent, for the digits would read as an exact integer
        result = std::to_chars(text.begin(), text.end(), value, std::chars_format::scientific);
    }
    out.append(text.data(), static_cast<std::size_t>(result.ptr - text.data()));
}

/// Whether eight bytes are ASCII without a control character, quote or backslash.
bool is_plain(std::uint64_t eight) {
    constexpr std::uint64_t kOnes = 0x0101010101010101u, kHighBits = 0x80 * kOnes;
    const auto zero_byte = [](std::uint64_t word) { return (word - kOnes) & ~word; };
    const std::uint64_t odd = eight | (eight - 0x20 * kOnes) | zero_byte(eight ^ ('"' * kOnes)) |
                              zero_byte(eight ^ ('\\' * kOnes));
    return (odd & kHighBits) == 0;
}

/// Whether the text needs no escape and no look at its encoding: nearly always so.
bool is_plain(std::string_view text) {
    const char* at = text.data();
    const char* const end = at + text.size();
    std::uint64_t eight = 0;
    if (text.size() >= sizeof eight) {
        for (; end - at > static_cast<std::ptrdiff_t>(sizeof eight); at += sizeof eight) {
            std::memcpy(&eight, at, sizeof eight);
            if (!is_plain(eight)) return false;
        }
        std::memcpy(&eight, end - sizeof eight, sizeof eight);  // some of it again
        return is_plain(eight);
    }
    for (; at != end; ++at) eight = eight << 8 | static_cast<unsigned char>(*at);
    constexpr std::uint64_t kSpaces = 0x2020202020202020u;  // where there is no text
    return is_plain(eight | (text.empty() ? kSpaces : kSpaces << 8 * text.size()));
}

/// Appends a string in its quotes between two texts of a character or none; false if it is not UTF-8.
bool append_text(std::string& out, std::string_view before, std::string_view text,
                 std::string_view after) {
    std::array<char, 256> whole;  // one append for most: each looks after the room it needs
    const bool plain = is_plain(text);
    if (plain && text.size() + 4 <= whole.size()) {
        char* at = std::copy(before.begin(), before.end(), whole.data());
        *at++ = '"';
        std::memcpy(at, text.data(), text.size());
        at += text.size();
        *at++ = '"';
        at = std::copy(after.begin(), after.end(), at);
        out.append(whole.data(), static_cast<std::size_t>(at - whole.data()));
        return true;
    }
    if (!plain && valid_utf8_prefix(text) != text.size()) return false;
    out += before;
    if (plain) out.append(1, '"').append(text).append(1, '"');
    else append_json_string(out, text);
    out += after;
    return true;
}

bool is_identifier(std::string_view text) {
    if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
    for (const char c : text)
        if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
              (c >= 'A' && c <= 'Z')))
            return false;
    return true;
}

/// Walks one value and writes it; within Vm::protect. Stops at the first thing that JSON can't say.
class Encoder {
public:
    Encoder(Encoded& out, BinaryValues binary) : out_(out), binary_(binary) {}

    /// False: `problem` says why, with the path from `root`.
    bool write(lua_State* state, int index, std::string_view root) {
        state_ = state;
        root_ = root;
        return value(index);
    }
    const std::string& problem() const noexcept { return problem_; }

private:
    struct Step {
        // Set when a table is entered: clearing all levels would cost more than most values do.
        Step() noexcept {}
        Step(const void* table) noexcept : table(table), key_text(nullptr), key_size(0), element(0) {}
        std::string_view key() const { return {key_text, key_size}; }

        const void* table;
        const char* key_text;  // of the member at work; it is on the Lua stack
        std::size_t key_size;
        int element;  // or the element's number
    };

    bool value(int index) {
        if (++values_ % kPollInterval == 0 && lua_gethookmask(state_) != 0)
            return fail("encoding was stopped");
        switch (lua_type(state_, index)) {
            case LUA_TNIL: out_.json += "null"; return true;
            case LUA_TBOOLEAN:
                out_.json += lua_toboolean(state_, index) ? "true" : "false";
                return true;
            case LUA_TNUMBER: return number(lua_tonumber(state_, index));
            case LUA_TSTRING: {
                std::size_t length = 0;
                const char* text = lua_tolstring(state_, index, &length);
                return fits(length) &&
                       (append_text(out_.json, {}, {text, length}, {}) || fail("string is not UTF-8"));
            }
            case LUA_TTABLE: return table(index);
            default: break;
        }
        if (is_null(state_, index)) {
            out_.json += "null";
            return true;
        }
        if (const SharedBytes* bytes = to_bytes(state_, index)) return binary(*bytes);
        if (const RawJson* raw = to_raw(state_, index)) return this->raw(*raw);
        return fail(std::string("a ") + luaL_typename(state_, index) + " is not data");
    }

    bool number(double value) {
        if (std::isnan(value)) return fail("NaN");
        if (std::isinf(value)) return fail("infinity");
        append_number(out_.json, value);
        return true;
    }

    bool binary(const SharedBytes& bytes) {
        if (binary_ == BinaryValues::refused) return fail("binary value in plain JSON");
        out_.json += R"({"_placeholder":true,"num":)";
        append_number(out_.json, static_cast<double>(out_.attachments.size()));
        out_.json += '}';
        out_.attachments.push_back(bytes);
        return true;
    }

    bool raw(const RawJson& raw) {
        if (!raw.attachments.empty() && binary_ == BinaryValues::refused)
            return fail("binary value in plain JSON");
        if (raw.attachments.empty() || out_.attachments.empty()) {
            if (!fits(raw.json.size())) return false;
            out_.json += raw.json;
            if (!raw.attachments.empty()) out_.attachments = raw.attachments;
            return true;
        }
        // Others come first, so its placeholders' numbers don't hold.
        luaL_checkstack(state_, 4, "JSON");
        if (auto done = decode_json(state_, raw.json, raw.attachments); !done)
            return fail(done.error().message);
        const bool good = value(-1);
        lua_pop(state_, 1);
        return good;
    }

    bool table(int index) {
        luaL_checkstack(state_, 8, "JSON");
        if (index < 0) index += lua_gettop(state_) + 1;
        if (depth_ == kMaxJsonDepth) return too_deep(lua_topointer(state_, index));
        Step& step = path_[static_cast<std::size_t>(depth_)];
        step = Step(lua_topointer(state_, index));
        ++depth_;
        lua_pushnil(state_);
        bool good = true;
        if (!lua_next(state_, index)) out_.json += is_marked_array(state_, index) ? "[]" : "{}";
        else if (lua_type(state_, -2) == LUA_TNUMBER) good = array(index, step);
        else if (is_marked_array(state_, index)) good = odd_keys(index);
        else good = object(index, step);
        if (good) --depth_;
        return good;
    }

    /// The first pair is on the stack. LuaJIT walks a dense array in order; where the walk strays,
    /// the rest is either elsewhere in the table or not there at all.
    bool array(int index, Step& step) {
        out_.json += '[';
        bool more = true;
        while (more) {
            if (lua_type(state_, -2) != LUA_TNUMBER || lua_tonumber(state_, -2) != step.element + 1)
                break;
            ++step.element;
            if (!element(step)) return false;
            lua_pop(state_, 1);
            more = lua_next(state_, index) != 0;
        }
        if (more) {
            lua_pop(state_, 2);
            const int size = dense_size(index);
            if (size < 0) return odd_keys(index);
            while (step.element < size) {
                lua_rawgeti(state_, index, ++step.element);
                if (!element(step)) return false;
                lua_pop(state_, 1);
            }
        }
        out_.json += ']';
        return true;
    }

    bool element(const Step& step) {
        if (step.element > 1) out_.json += ',';
        return fits(0) && value(-1);
    }

    bool object(int index, Step& step) {
        std::string_view separator = "{";
        do {
            if (lua_type(state_, -2) != LUA_TSTRING) return odd_keys(index);
            step.key_text = lua_tolstring(state_, -2, &step.key_size);
            if (!fits(step.key_size)) return false;
            if (!append_text(out_.json, separator, step.key(), ":")) return fail("key is not UTF-8");
            separator = ",";
            if (!value(-1)) return false;
            lua_pop(state_, 1);
        } while (lua_next(state_, index));
        out_.json += '}';
        return true;
    }

    /// n when the keys are 1 to n, in any order; else -1.
    int dense_size(int index) {
        int count = 0;
        double largest = 0;
        lua_pushnil(state_);
        while (lua_next(state_, index)) {
            const double key = lua_type(state_, -2) == LUA_TNUMBER ? lua_tonumber(state_, -2) : 0;
            lua_pop(state_, 1);
            if (key < 1 || key != std::floor(key)) {
                lua_pop(state_, 1);
                return -1;
            }
            ++count;
            largest = std::max(largest, key);
        }
        return largest == count ? count : -1;
    }

    /// Says what is wrong with the keys of the table at `index`, the step at work.
    bool odd_keys(int index) {
        bool strings = false, numbers = false;
        const char* other = nullptr;
        lua_pushnil(state_);
        while (lua_next(state_, index)) {
            lua_pop(state_, 1);
            if (lua_type(state_, -1) == LUA_TSTRING) strings = true;
            else if (lua_type(state_, -1) == LUA_TNUMBER) numbers = true;
            else other = luaL_typename(state_, -1);
        }
        --depth_;
        if (other) return fail(std::string("a key is a ") + other);
        if (strings && numbers) return fail("keys are both names and numbers");
        if (strings) return fail("a marked array has names for keys");
        return fail("array with holes, or not from 1");
    }

    bool too_deep(const void* table) {
        for (int i = 0; i < depth_; ++i) {
            int inner = i + 1;
            while (inner < depth_ && step(inner).table != step(i).table) ++inner;
            const bool found = inner < depth_ || step(i).table == table;
            if (!found) continue;
            depth_ = inner;
            return fail("cycle: leads back to " + path(i));
        }
        return fail("nested deeper than 64 levels");
    }

    /// What shares subtables without a cycle can still grow without end.
    bool fits(std::size_t more) {
        return out_.json.size() + more <= kMaxEncodedBytes || fail("JSON text over 64 MiB");
    }

    const Step& step(int i) const { return path_[static_cast<std::size_t>(i)]; }

    std::string path(int depth) const {
        std::string text(root_);
        for (int i = 0; i < depth; ++i) {
            if (step(i).element != 0) {
                text += '[' + std::to_string(step(i).element) + ']';
            } else if (is_identifier(step(i).key())) {
                text += '.';
                text += step(i).key();
            } else {
                text += '[';
                append_json_string(text, step(i).key());
                text += ']';
            }
        }
        return text;
    }

    bool fail(const std::string& what) {
        problem_ = path(depth_) + ": " + what;
        return false;
    }

    Encoded& out_;
    const BinaryValues binary_;
    lua_State* state_ = nullptr;
    std::string_view root_;
    std::string problem_;
    std::uint32_t values_ = 0;
    int depth_ = 0;
    std::array<Step, kMaxJsonDepth> path_;
};

Result<void> encode(lua_State* state, int index, Encoded& out, BinaryValues binary,
                    std::string_view root) {
    Encoder encoder(out, binary);
    bool good = false;
    const RawJson* raw = to_raw(state, index);
    if (!lua_istable(state, index) && !(raw && !raw->attachments.empty())) {
        good = encoder.write(state, index, root);  // nothing here can raise
    } else {
        lua_pushvalue(state, index);
        const Result<int> done = Vm::protect(state, 1, [&](lua_State* inner) {
            good = encoder.write(inner, 1, root);
            return 0;
        });
        if (!done) return Error{std::string(root) + ": " + done.error().message};
    }
    if (!good) return Error{encoder.problem()};
    return {};
}

}  // namespace

Result<void> encode_json(lua_State* state, int index, Encoded& out, BinaryValues binary,
                         std::string_view root) {
    return encode(state, index, out, binary, root);
}

Result<void> encode_json_array(lua_State* state, std::string_view event, int first, int last,
                               Encoded& out) {
    out.json += '[';
    if (!event.empty()) append_json_string(out.json, event);
    for (int i = first; i <= last; ++i) {
        if (i != first || !event.empty()) out.json += ',';
        const std::string root = "$" + std::to_string(i - first + 1);
        if (auto done = encode(state, i, out, BinaryValues::as_attachments, root); !done)
            return done;
    }
    out.json += ']';
    return {};
}

}  // namespace moonwire::script
