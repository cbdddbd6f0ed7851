#include "core/script/scratch.hpp"

#include "core/script/api.hpp"
#include "core/script/loader.hpp"

namespace moonwire::script {

Tried try_namespace(const NamespaceSources& sources, VmLimits limits) {
    limits.jit = false;  // or a load that never ends could not be stopped
    Runtime runtime(limits, nullptr);
    auto prepared = Vm::protect(runtime.state(), 0, [](lua_State* state) {
        register_api(state);
        return 0;
    });
    if (!prepared) return {LoadError{sources.files.front().path, 0, prepared.error().message}, {}, {}};
    Loaded loaded = load_generation(runtime, 1, sources);
    if (loaded.error) return {std::move(loaded.error), {}, {}};
    Tried tried{std::nullopt, std::move(loaded.generation->routes),
                contract_of(*loaded.generation)};
    loaded.generation->retire();
    return tried;
}

}  // namespace moonwire::script
