#include "core/script/scratch.hpp"

#include "core/script/api.hpp"
#include "core/script/loader.hpp"
#include "core/script/route_table.hpp"

namespace moonwire::script {

Tried try_namespace(const NamespaceSources& sources, std::size_t memory_limit_bytes) {
    Runtime runtime(memory_limit_bytes, nullptr);
    auto prepared = Vm::protect(runtime.state(), 0, [](lua_State* state) {
        register_api(state);
        return 0;
    });
    if (!prepared) return {LoadError{sources.files.front().path, 0, prepared.error().message}, {}};
    Loaded loaded = load_generation(runtime, 1, sources);
    if (loaded.error) return {std::move(loaded.error), {}};
    Tried tried{std::nullopt, std::move(loaded.generation->routes)};
    loaded.generation->retire();
    return tried;
}

std::vector<LoadError> check_scripts(const HostOptions& options) {
    FoundScripts found = find_scripts(options.apps);
    RouteTable routes;
    for (const auto& [name, sources] : found.namespaces) {
        Tried tried = try_namespace(sources, options.namespace_memory_bytes);
        if (!tried.error) tried.error = routes.conflict(name, tried.routes);
        if (tried.error) found.errors.push_back(*std::move(tried.error));
        else routes.replace(name, std::move(tried.routes));
    }
    return std::move(found.errors);
}

}  // namespace moonwire::script
