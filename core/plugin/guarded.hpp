#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace moonwire::plugin {

/// Logs that a plugin did what it must not, and where. Any thread.
void log_failure(const std::string& plugin, std::string_view in, std::string_view reason);

/// Calls what is a plugin's; false if it threw, which was logged.
bool guarded(const std::string& plugin, std::string_view in,
             const std::function<void()>& call) noexcept;

}  // namespace moonwire::plugin
