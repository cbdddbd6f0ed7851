#pragma once

#include <memory>

#include "core/client/carrier.hpp"

namespace moonwire::client {

/// Connects by WebSocket.
std::shared_ptr<Carrier> connect_by_websocket(transport::AsioReactor& reactor,
                                              transport::WebSocketRequest request,
                                              std::shared_ptr<CarrierHandler> handler);

}  // namespace moonwire::client
