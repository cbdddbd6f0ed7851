#include "core/transport/deflate_offer.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <utility>

namespace moonwire::transport {
namespace {

using boost::beast::iequals;
using Parameters = boost::beast::http::param_list;

constexpr std::string_view kAnswer =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
constexpr std::string_view kAnswerWithWindow =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
    "server_max_window_bits=15";

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    return text;
}

/// 8 to 15, as section 7.1.2 writes it; else 0.
int window_bits(boost::beast::string_view text) {
    if (text.size() == 1 && (text[0] == '8' || text[0] == '9')) return text[0] - '0';
    if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '5')
        return 10 + text[1] - '0';
    return 0;
}

std::string_view accept_offer(const Parameters& parameters) {
    bool server_context = false, client_context = false, server_window = false,
         client_window = false;
    // A parameter that is unknown, badly valued or there twice declines the offer (section 7.1).
    const auto once = [](bool& seen) { return !std::exchange(seen, true); };
    for (const auto& [name, value] : parameters) {
        bool good = false;
        if (iequals(name, "server_no_context_takeover")) {
            good = value.empty() && once(server_context);
        } else if (iequals(name, "client_no_context_takeover")) {
            good = value.empty() && once(client_context);
        } else if (iequals(name, "server_max_window_bits")) {
            good = window_bits(value) == 15 && once(server_window);
        } else if (iequals(name, "client_max_window_bits")) {
            good = (value.empty() || window_bits(value) != 0) && once(client_window);
        }
        if (!good) return {};
    }
    return server_window ? kAnswerWithWindow : kAnswer;
}

}  // namespace

std::string_view accept_deflate(const HttpRequest& request) {
    for (const auto& [name, value] : request.headers) {
        if (!iequals(name, "sec-websocket-extensions")) continue;
        // Not by Beast's ext_list: it takes an offer without parameters to have the last one's.
        for (std::string_view rest = value; !rest.empty();) {
            const std::string_view offer = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(offer.size() + 1, rest.size()));
            const std::size_t end = std::min(offer.find(';'), offer.size());
            if (!iequals(trimmed(offer.substr(0, end)), "permessage-deflate")) continue;
            const std::string_view answer = accept_offer(Parameters{offer.substr(end)});
            if (!answer.empty()) return answer;
        }
    }
    return {};
}

}  // namespace moonwire::transport
