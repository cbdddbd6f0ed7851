#pragma once

namespace moonwire::script {

/// Integer keys of the Lua registry that core/script keeps its own values under. Negative, so that
/// luaL_ref never hands them out; integers, so that reading one neither hashes a string nor
/// allocates.
enum RegistryKey : int {
    kTrampolineKey = -1000,  // Vm::protect's C function
    kTracebackKey,           // Vm::call's message handler
    kLibrariesKey,           // what push_environment copies from
    kArrayMetatableKey,
    kBytesMetatableKey,
    kSchemaMetatableKey,
    kGeoIndexMetatableKey,
    kRawMetatableKey,
};

}  // namespace moonwire::script
