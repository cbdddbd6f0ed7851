#pragma once

#include <memory>

#include "core/plugin/stores.hpp"

namespace moonwire::plugin {

/// The store of the test plugin shelf, as a broker has it. The plugin, which is loaded and started,
/// lives as long.
std::unique_ptr<Store> make_loaded_store(const StoreSettings& settings);

}  // namespace moonwire::plugin
