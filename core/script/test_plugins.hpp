#pragma once

#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "core/script/extensions.hpp"

namespace moonwire::script {

/// Plugins in a simulated world: they answer on threads of their own and in real time, so the
/// world's clock stands still while a script waits for one.
///
/// One thread, but for what the plugins call. Answers that come after it is gone are lost.
class TestPlugins {
public:
    TestPlugins();

    /// A token that stands for these claims (an object) in a simulated world, whatever verifies the
    /// others.
    static std::string token_for(const std::string& claims_json, double expires);

    /// The same extensions, whose answers wait here until `settle` gives them on.
    std::shared_ptr<const Extensions> wrap(const std::shared_ptr<const Extensions>& original);

    /// Gives on the answers that are there, waiting for the first until `deadline`. False if no
    /// call is under way, or none was answered in time.
    bool settle(TimePoint deadline);

private:
    struct Inbox;
    class TestAuthenticator;
    std::shared_ptr<Inbox> inbox_;
};

}  // namespace moonwire::script
