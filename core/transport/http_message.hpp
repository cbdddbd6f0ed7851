#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/transport/http.hpp"

namespace moonwire::transport {

using RequestParser = boost::beast::http::request_parser<boost::beast::http::string_body>;

/// The parsed request as the layers above see it, its body moved out. `upgrade` is set.
HttpRequest to_request(boost::beast::http::request<boost::beast::http::string_body>&& message);

/// The status that answers a request the parser refused: 400, 413, 431, 505.
unsigned status_of(boost::system::error_code parser_error);

struct ResponseStyle {
    std::string_view date;
    bool head = false;  // a HEAD request: the length, but no body
    bool keep_alive = true;
    bool say_keep_alive = false;  // HTTP/1.0 has to be told
};
/// Head and body as they go on the wire. Line breaks inside header values become spaces: a peer's
/// text that is echoed must not start another header.
SharedBytes to_wire(const HttpResponse& response, const ResponseStyle& style);

std::string one_line(std::string_view value);

}  // namespace moonwire::transport
