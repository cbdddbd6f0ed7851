#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/script/contract.hpp"

/// What `moonwire types` writes from the namespaces' declarations, a file each format: the whole
/// text, the same for the same contracts. Any thread.
namespace moonwire::script {

/// `ServerToClientEvents` and `ClientToServerEvents` for socket.io-client.
std::string write_typescript(const std::vector<NamespaceContract>& namespaces);

}  // namespace moonwire::script
