#include "core/script/json_encode.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <lua.hpp>

#include "core/base/json_text.hpp"
#include "core/script/json_decode.hpp"
#include "core/script/json_writer.hpp"
#include "core/script/raw_json.hpp"
#include "core/script/values.hpp"
#include "core/script/vm.hpp"

namespace moonwire::script {
namespace {

constexpr int kPollInterval = 4096;  // values between two looks at the hook

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
    Encoder(Encoded& out, BinaryValues binary) : out_(out), json_(out.json), binary_(binary) {}

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
            case LUA_TNIL: json_.put("null"); return true;
            case LUA_TBOOLEAN:
                json_.put(lua_toboolean(state_, index) ? "true" : "false");
                return true;
            case LUA_TNUMBER: return number(lua_tonumber(state_, index));
            case LUA_TSTRING: {
                std::size_t length = 0;
                const char* text = lua_tolstring(state_, index, &length);
                return fits(length) && (json_.text({text, length}) || fail("string is not UTF-8"));
            }
            case LUA_TTABLE: return table(index);
            default: break;
        }
        if (is_null(state_, index)) {
            json_.put("null");
            return true;
        }
        if (const SharedBytes* bytes = to_bytes(state_, index)) return binary(*bytes);
        if (const RawJson* raw = to_raw(state_, index)) return this->raw(*raw);
        return fail(std::string("a ") + luaL_typename(state_, index) + " is not data");
    }

    bool number(double value) {
        if (std::isnan(value)) return fail("NaN");
        if (std::isinf(value)) return fail("infinity");
        json_.number(value);
        return true;
    }

    bool binary(const SharedBytes& bytes) {
        if (binary_ == BinaryValues::refused) return fail("binary value in plain JSON");
        json_.put(R"({"_placeholder":true,"num":)");
        json_.number(static_cast<double>(out_.attachments.size()));
        json_.put('}');
        out_.attachments.push_back(bytes);
        return true;
    }

    bool raw(const RawJson& raw) {
        if (!raw.attachments.empty() && binary_ == BinaryValues::refused)
            return fail("binary value in plain JSON");
        if (raw.attachments.empty() || out_.attachments.empty()) {
            if (!fits(raw.json.size())) return false;
            json_.put(raw.json);
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
        if (!lua_next(state_, index)) json_.put(is_marked_array(state_, index) ? "[]" : "{}");
        else if (lua_type(state_, -2) == LUA_TNUMBER) good = array(index, step);
        else if (is_marked_array(state_, index)) good = odd_keys(index);
        else good = object(index, step);
        if (good) --depth_;
        return good;
    }

    /// The first pair is on the stack. LuaJIT walks a dense array in order; where the walk strays,
    /// the rest is either elsewhere in the table or not there at all.
    bool array(int index, Step& step) {
        json_.put('[');
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
        json_.put(']');
        return true;
    }

    bool element(const Step& step) {
        if (step.element > 1) json_.put(',');
        return fits(0) && value(-1);
    }

    bool object(int index, Step& step) {
        char separator = '{';
        do {
            if (lua_type(state_, -2) != LUA_TSTRING) return odd_keys(index);
            step.key_text = lua_tolstring(state_, -2, &step.key_size);
            if (!fits(step.key_size)) return false;
            json_.put(separator);
            if (!json_.text(step.key())) return fail("key is not UTF-8");
            json_.put(':');
            separator = ',';
            if (!value(-1)) return false;
            lua_pop(state_, 1);
        } while (lua_next(state_, index));
        json_.put('}');
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
        return json_.size() + more <= kMaxEncodedBytes || fail("JSON text over 64 MiB");
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
    JsonWriter json_;
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
