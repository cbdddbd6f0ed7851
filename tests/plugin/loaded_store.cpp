#include "tests/plugin/loaded_store.hpp"

#include <stdexcept>
#include <utility>

#include "core/plugin/plugins.hpp"

namespace moonwire::plugin {
namespace {

class LoadedStore final : public Store {
public:
    explicit LoadedStore(const StoreLimits& limits) {
        PluginSettings settings;
        settings.load = {PLUGIN_FOLDER "/shelf.so"};
        for (const Error& error : plugins_.load(settings)) throw std::runtime_error(error.message);
        if (auto started = plugins_.start(); !started)
            throw std::runtime_error(started.error().message);
        store_ = plugins_.provisions().make_store("shelf", limits);
    }

    std::string start() override { return store_->start(); }
    void execute(StoreRequest request, StoreCompletion completion) override {
        store_->execute(std::move(request), std::move(completion));
    }
    void close() override { store_->close(); }

private:
    Plugins plugins_;  // outlives its store
    std::unique_ptr<Store> store_;
};

}  // namespace

std::unique_ptr<Store> make_loaded_store(const StoreSettings& settings) {
    return std::make_unique<LoadedStore>(settings.limits);
}

}  // namespace moonwire::plugin
