#include "core/script/stored_value.hpp"

#include <cstdint>
#include <lua.hpp>

#include "core/script/json_decode.hpp"
#include "core/script/values.hpp"

namespace moonwire::script {
namespace {

constexpr char kWithAttachments = '\1';  // no JSON begins so

void append_size(std::string& out, std::size_t size) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
}

/// Takes four bytes off the front; false if there are none.
bool take_size(std::string_view& bytes, std::size_t& size) {
    if (bytes.size() < 4) return false;
    size = 0;
    for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<unsigned char>(bytes[i]);
    bytes.remove_prefix(4);
    return true;
}

}  // namespace

std::string pack_value(const Encoded& encoded) {
    if (encoded.attachments.empty()) return encoded.json;
    std::string packed(1, kWithAttachments);
    append_size(packed, encoded.attachments.size());
    for (const SharedBytes& each : encoded.attachments) {
        append_size(packed, each.size());
        packed += each.view();
    }
    return packed + encoded.json;
}

socketio::OwnedPayload unpack_value(std::string packed) {
    socketio::OwnedPayload payload;
    std::string_view rest = packed;
    std::size_t count = 0;
    if (rest.starts_with(kWithAttachments)) {
        rest.remove_prefix(1);
        bool whole = take_size(rest, count);
        for (std::size_t i = 0, size = 0; whole && i < count; ++i) {
            whole = take_size(rest, size) && size <= rest.size();
            if (!whole) break;
            payload.attachments.push_back(SharedBytes::copy(rest.substr(0, size)));
            rest.remove_prefix(size);
        }
        payload.json = whole ? rest : std::string_view();
    } else {
        payload.json = std::move(packed);
    }
    return payload;
}

void push_stored(lua_State* state, std::string packed) {
    const socketio::OwnedPayload payload = unpack_value(std::move(packed));
    if (!decode_json(state, payload.json, payload.attachments)) push_null(state);
}

}  // namespace moonwire::script
