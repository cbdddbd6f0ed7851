// Whatever a Lua file holds is read to its end; what is told of it lies in it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/script/lint_facts.hpp"

namespace {

void check_place(const moonwire::script::LuaPosition& at, const std::string& text) {
    const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
    if (at.line < 1 || at.line > lines || at.column < 1) std::abort();
    if (static_cast<std::size_t>(at.column) > text.size() + 1) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    // A copy, so that reading past it is seen.
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto facts = moonwire::script::read_facts(text);
    if (facts.broken) check_place(*facts.broken, text);
    for (const auto& each : facts.globals) check_place(each.at, text);
    for (const auto& each : facts.members) check_place(each.at, text);
    for (const auto* list : {&facts.modules, &facts.emits, &facts.asks, &facts.namespaces})
        for (const auto& each : *list) check_place(each.at, text);
    return 0;
}
