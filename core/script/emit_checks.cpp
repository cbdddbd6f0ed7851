#include "core/script/emit_checks.hpp"

#include <optional>
#include <string>

#include "core/base/log.hpp"
#include "core/script/api.hpp"

namespace moonwire::script {
namespace {

constexpr std::size_t kMaxTold = 1000;  // events whose names scripts make up are not all told

/// Logs it, unless that was done for this event already.
void tell(Generation& generation, std::string_view event, const char* what, const std::string& problem,
          const std::string& position) {
    if (generation.told.size() >= kMaxTold) return;
    if (!generation.told.emplace(std::string(what) + std::string(event)).second) return;
    const std::string text = std::string(what) + ": " + problem;
    log::error(text, {{"namespace", generation.nsp()},
                      {"event", event},
                      {"at", position},
                      {"generation", generation.number()}});
}

/// How `count` values from `first` differ from the schemas, if they do.
std::optional<std::string> problem_of(lua_State* state,
                                      const std::vector<SchemaNode::Child>& schemas, int first,
                                      int count) {
    const int known = static_cast<int>(schemas.size());
    if (count > known)
        return std::to_string(count) + " values, where " + std::to_string(known) +
               (known == 1 ? " is declared" : " are declared");
    for (int i = 0; i < known; ++i) {
        if (!lua_checkstack(state, 4)) return std::nullopt;
        if (i < count) lua_pushvalue(state, first + i);
        else lua_pushnil(state);
        const auto error = test_node(state, *schemas[static_cast<std::size_t>(i)], -1);
        lua_pop(state, 1);
        if (!error) continue;
        const std::string which = known > 1 ? "$" + std::to_string(i + 1) : "$";
        return which + error->path.substr(1) + ": " + error->message;
    }
    return std::nullopt;
}

}  // namespace

void check_emitted(lua_State* state, Generation& generation, int index) {
    if (generation.declarations.empty()) return;
    const std::string position = caller_position(state);  // first, for it may raise
    const std::string_view event = text_at(state, index);
    const auto found = generation.declarations.find(event);
    if (found == generation.declarations.end())
        return tell(generation, event, "an event is sent that is not declared",
                    "there is no ns:emits for it, but for others", position);
    const Signature& signature = found->second.signature;
    if (!signature.declared) return;
    if (auto problem =
            problem_of(state, signature.arguments, index + 1, lua_gettop(state) - index))
        tell(generation, event, "an event is not sent as declared", *problem,
             position);
}

void check_returned(lua_State* state, Generation& generation, std::string_view event, int first,
                    int count) {
    const auto found = generation.events.find(event);
    if (found == generation.events.end() || !found->second.signature.returns) return;
    if (auto problem = problem_of(state, {found->second.signature.returns}, first, count))
        tell(generation, event, "a handler does not return what is declared", *problem,
             found->second.position);
}

void check_reply(lua_State* state, Generation& generation, std::string_view event, int count) {
    const auto found = generation.declarations.find(event);
    if (found == generation.declarations.end() || !found->second.signature.returns) return;
    if (auto problem = problem_of(state, {found->second.signature.returns},
                                  lua_gettop(state) - count + 1, count))
        tell(generation, event, "a client does not answer as declared", *problem,
             found->second.position);
}

}  // namespace moonwire::script
