#pragma once

#include <memory>

#include "core/client/carrier.hpp"
#include "core/transport/http_client.hpp"

namespace moonwire::client {

/// Connects by HTTP long-polling: one GET always waits, one POST at a time carries what is sent.
/// `http` outlives the connection.
std::shared_ptr<Carrier> connect_by_polling(Reactor& reactor, transport::HttpClient& http,
                                            HttpUrl url, transport::Headers headers,
                                            std::shared_ptr<CarrierHandler> handler);

}  // namespace moonwire::client
