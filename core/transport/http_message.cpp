#include "core/transport/http_message.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/status.hpp>
#include <utility>

namespace moonwire::transport {
namespace {

namespace http = boost::beast::http;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

/// RFC 6455 section 4.2.1. The key is 16 bytes in base64.
bool is_websocket_upgrade(const http::request<http::string_body>& message) {
    if (message.method() != http::verb::get || message.version() != 11) return false;
    const auto key = message[http::field::sec_websocket_key];
    return http::token_list{message[http::field::connection]}.exists("upgrade") &&
           http::token_list{message[http::field::upgrade]}.exists("websocket") &&
           message[http::field::sec_websocket_version] == "13" && key.size() == 24 &&
           key.ends_with("==");
}

bool is_transports_own(std::string_view name) {
    return boost::beast::iequals(name, "content-length") ||
           boost::beast::iequals(name, "connection") || boost::beast::iequals(name, "date") ||
           boost::beast::iequals(name, "transfer-encoding");
}

}  // namespace

HttpRequest to_request(http::request<http::string_body>&& message) {
    HttpRequest request;
    request.method = view(message.method_string());
    request.target = view(message.target());
    request.upgrade = is_websocket_upgrade(message);
    for (const auto& field : message)
        request.headers.emplace_back(view(field.name_string()), view(field.value()));
    request.body = std::move(message.body());
    return request;
}

unsigned status_of(boost::system::error_code parser_error) {
    if (parser_error == http::error::header_limit) return 431;
    if (parser_error == http::error::body_limit) return 413;
    if (parser_error == http::error::bad_version) return 505;
    return 400;
}

std::string one_line(std::string_view value) {
    std::string line(value);
    for (char& c : line)
        if (c == '\r' || c == '\n' || c == '\0') c = ' ';
    return line;
}

SharedBytes to_wire(const HttpResponse& response, const ResponseStyle& style) {
    std::string head = "HTTP/1.1 ";
    head += std::to_string(response.status);
    head += ' ';
    head += view(http::obsolete_reason(static_cast<http::status>(response.status)));
    head += "\r\nDate: ";
    head += style.date;
    // These have no body by definition (RFC 9110 section 8.6).
    const bool bodiless = response.status == 204 || response.status == 304 || response.status < 200;
    if (!bodiless) {
        head += "\r\nContent-Length: ";
        head += std::to_string(response.body.size());
    }
    if (!style.keep_alive) head += "\r\nConnection: close";
    else if (style.say_keep_alive) head += "\r\nConnection: keep-alive";
    for (const auto& [name, value] : response.headers) {
        if (is_transports_own(name)) continue;
        head += "\r\n";
        head += one_line(name);
        head += ": ";
        head += one_line(value);
    }
    head += "\r\n\r\n";
    const bool with_body = !bodiless && !style.head;
    return SharedBytes::concat({head, with_body ? std::string_view(response.body) : ""});
}

}  // namespace moonwire::transport
