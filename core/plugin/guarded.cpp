#include "core/plugin/guarded.hpp"

#include <exception>

#include "core/base/log.hpp"

namespace moonwire::plugin {

void log_failure(const std::string& plugin, std::string_view in, std::string_view reason) {
    log::error("plugin failed", {{"plugin", plugin}, {"in", in}, {"reason", reason}});
}

bool guarded(const std::string& plugin, std::string_view in,
             const std::function<void()>& call) noexcept {
    std::string reason = "an exception of an unknown type";
    try {
        call();
        return true;
    } catch (const std::exception& exception) {
        reason = exception.what();
    } catch (...) {
    }
    log_failure(plugin, in, reason);
    return false;
}

}  // namespace moonwire::plugin
