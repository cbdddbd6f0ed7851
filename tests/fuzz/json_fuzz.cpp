// Decodes arbitrary bytes, encodes what came out, and decodes that: whatever is accepted must come
// back as the same text.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/script/json_decode.hpp"
#include "core/script/json_encode.hpp"
#include "core/script/vm.hpp"
#include "tests/script/stack.hpp"

using namespace moonwire;
using namespace moonwire::script;

namespace {

void require(bool holds, const char* what, std::string_view text) {
    if (holds) return;
    std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
    std::abort();
}

/// Decodes and encodes; false when decoding refuses.
bool pass(lua_State* state, std::string_view json, const std::vector<SharedBytes>& attachments,
          Encoded& out) {
    clear_stack(state);
    if (!decode_json(state, json, attachments)) {
        require(stack_size(state) == 0, "something was left on the stack", json);
        return false;
    }
    require(stack_size(state) == 1, "not one value on the stack", json);
    const auto encoded = encode_json(state, 1, out, BinaryValues::as_attachments);
    require(encoded.has_value(), encoded ? "" : encoded.error().message.c_str(), json);
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    static Vm vm(256u << 20);
    static const std::vector<SharedBytes> attachments{SharedBytes::copy("zero"),
                                                      SharedBytes::copy("one")};
    lua_State* state = vm.state();
    const std::string_view json(reinterpret_cast<const char*>(data), size);

    Encoded first, second;
    const bool accepted = pass(state, json, {}, first);
    require(accepted == is_valid_json(json), "decoding and validating disagree", json);
    if (accepted) {
        // Members may change places with every table, so the length is what must hold.
        require(pass(state, first.json, {}, second), "own text refused", first.json);
        require(first.json.size() == second.json.size(), "another text", first.json);
        require(is_valid_json(first.json), "own text invalid", first.json);
    }
    first.clear();
    pass(state, json, attachments, first);

    clear_stack(state);
    if (const auto count = decode_json_array(state, json, attachments, 1))
        require(stack_size(state) == *count && *count <= 200, "a wrong count", json);
    else require(stack_size(state) == 0, "something was left on the stack", json);
    clear_stack(state);
    return 0;
}
