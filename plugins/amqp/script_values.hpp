#pragma once

#include <string>

#include "core/plugin/api/values.hpp"
#include "plugins/amqp/message.hpp"

namespace moonwire::amqp {

/// A message for a script: `[{body, headers, routing_key, …}]`, the body as bytes. Texts that are
/// not UTF-8 have U+FFFD where they are not.
plugin::Values delivery_values(const Message& message, bool redelivered);
/// `[state]` or `[state, detail]`.
plugin::Values status_values(const std::string& state, const std::string& detail);

}  // namespace moonwire::amqp
