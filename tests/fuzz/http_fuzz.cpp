// HTTP requests in arbitrary splits: parsed as a connection does it, taken apart, and answered with
// their own text. Splitting must not matter, and an answer must stay one answer.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "core/base/url.hpp"
#include "core/transport/deflate_offer.hpp"
#include "core/transport/http.hpp"
#include "core/transport/http_message.hpp"

using namespace moonwire::transport;
namespace http = boost::beast::http;

namespace {

constexpr std::uint32_t kHeaderBytes = 4096;
constexpr std::uint64_t kBodyBytes = 4096;

struct Outcome {
    std::optional<HttpRequest> request;  // none: refused, or more is needed
    unsigned refused = 0;                // with this status
};

/// `step` bytes at a time, as they would come in.
Outcome parse(std::string_view bytes, std::size_t step) {
    RequestParser parser;
    parser.eager(true);
    parser.header_limit(kHeaderBytes);
    parser.body_limit(kBodyBytes);
    std::string input;
    while (!bytes.empty()) {
        input.append(bytes.substr(0, step));
        bytes.remove_prefix(std::min(step, bytes.size()));
        // Beast asserts that a last chunk which it has seen once has five bytes when it sees it again.
        // If it is the first one it may have four, which does no harm where assertions are off.
        if (parser.is_header_done() && input.size() < 5 && !bytes.empty()) continue;
        boost::system::error_code error;
        const std::size_t used = parser.put(boost::asio::buffer(input), error);
        if (used > input.size()) std::abort();
        input.erase(0, used);
        if (error && error != http::error::need_more) return {std::nullopt, status_of(error)};
        if (parser.is_done()) return {to_request(parser.release())};
        if (input.size() > kHeaderBytes) return {std::nullopt, 431};
    }
    return {};
}

std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + what.size()))
        ++found;
    return found;
}

void check_answer(const HttpRequest& request) {
    HttpResponse response;
    response.status = 200;
    response.headers = request.headers;
    response.headers.emplace_back("X-Path", moonwire::url_decode(request.target));
    response.body = request.body;
    const moonwire::SharedBytes wire = to_wire(response, {"now", false, false, false});
    const std::size_t end = wire.view().find("\r\n\r\n");
    if (end == std::string_view::npos) std::abort();
    if (wire.view().substr(end + 4) != response.body) std::abort();
    // What was echoed made no lines of its own: status, date, length, connection and the headers.
    if (count(wire.view().substr(0, end), "\n") > 3 + response.headers.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = 1 + data[0] % 64;
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    Outcome whole = parse(bytes, bytes.size() + 1);
    const Outcome split = parse(bytes, step);
    if (whole.request && split.request) {
        if (whole.request->target != split.request->target ||
            whole.request->headers != split.request->headers ||
            whole.request->body != split.request->body)
            std::abort();
    }
    if (!whole.request) return 0;
    const HttpRequest& request = *whole.request;
    for (const auto& [name, value] : request.query_values())
        if (name.size() + value.size() > request.target.size()) std::abort();
    request.query_value("sid");
    request.header("cookie");
    accept_deflate(request);
    if (request.path().size() + request.query().size() > request.target.size()) std::abort();
    check_answer(request);
    return 0;
}
