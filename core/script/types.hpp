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

/// A class for each namespace over python-socketio's asyncio client.
std::string write_python(const std::vector<NamespaceContract>& namespaces);

/// An AsyncAPI 3 document.
std::string write_asyncapi_json(const std::vector<NamespaceContract>& namespaces);
std::string write_asyncapi_yaml(const std::vector<NamespaceContract>& namespaces);

}  // namespace moonwire::script
