#include "core/transport/content_coding.hpp"

#include <zlib.h>

#include <algorithm>
#include <new>
#include <optional>

namespace moonwire::transport {
namespace {

constexpr int kLevel = 6;
constexpr int kWindowBits = 15;
constexpr int kGzipFormat = 16;  // added to the window's bits
constexpr int kMemoryLevel = 8;

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return (x | 32) == (y | 32); });
}

/// "0.5" in thousandths (RFC 9110 section 12.4.2); what is no weight counts as 0.
int parse_weight(std::string_view text) {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
    int weight = (text[0] - '0') * 1000;
    if (text.size() > 1 && text[1] != '.') return 0;
    for (std::size_t i = 2, unit = 100; i < text.size(); ++i, unit /= 10) {
        if (text[i] < '0' || text[i] > '9') return 0;
        weight += (text[i] - '0') * static_cast<int>(unit);
    }
    return std::min(weight, 1000);
}

/// The weight that the header gives to a coding by name or by "*".
std::optional<int> weight_of(std::string_view header, std::string_view coding) {
    std::optional<int> any;
    while (!header.empty()) {
        const std::size_t end = std::min(header.find(','), header.size());
        std::string_view item = header.substr(0, end);
        header.remove_prefix(std::min(end + 1, header.size()));
        int weight = 1000;
        const std::size_t semicolon = item.find(';');
        if (semicolon != std::string_view::npos) {
            std::string_view parameter = trim(item.substr(semicolon + 1));
            if (equal_ignoring_case(parameter.substr(0, 2), "q="))
                weight = parse_weight(trim(parameter.substr(2)));
        }
        item = trim(item.substr(0, semicolon));
        if (equal_ignoring_case(item, coding)) return weight;
        if (item == "*") any = weight;
    }
    return any;
}

}  // namespace

std::string_view to_string(ContentCoding coding) {
    switch (coding) {
        case ContentCoding::identity: return "identity";
        case ContentCoding::deflate: return "deflate";
        case ContentCoding::gzip: return "gzip";
        case ContentCoding::brotli: return "br";
    }
    return "identity";
}

ContentCoding choose_coding(std::string_view accept_encoding,
                            std::span<const ContentCoding> offered) {
    ContentCoding best = ContentCoding::identity;
    if (accept_encoding.empty()) return best;
    int best_weight = 0;
    for (const ContentCoding coding : offered) {
        const int weight = weight_of(accept_encoding, to_string(coding)).value_or(0);
        if (weight <= best_weight) continue;
        best = coding;
        best_weight = weight;
    }
    // Unmentioned, identity is acceptable, but not preferred.
    const std::size_t mentioned = accept_encoding.find("identity");
    if (mentioned != std::string_view::npos &&
        weight_of(accept_encoding, "identity").value_or(0) > best_weight)
        return ContentCoding::identity;
    return best;
}

std::string compress(std::string_view bytes, ContentCoding coding) {
    z_stream stream{};
    const int format = coding == ContentCoding::gzip ? kWindowBits + kGzipFormat : kWindowBits;
    if (deflateInit2(&stream, kLevel, Z_DEFLATED, format, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::bad_alloc();
    std::string out;
    out.resize(deflateBound(&stream, bytes.size()));  // all of it in one call
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

}  // namespace moonwire::transport
