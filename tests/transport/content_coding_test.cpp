#include "core/transport/content_coding.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

using namespace moonwire::transport;

namespace {

std::string_view chosen(std::string_view accept) {
    constexpr ContentCoding kOffered[] = {ContentCoding::gzip, ContentCoding::deflate};
    return to_string(choose_coding(accept, kOffered));
}

/// What zlib makes of it, whichever of the two formats it is.
std::string inflated(const std::string& bytes, std::size_t size) {
    std::string out(size + 1, '\0');
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, 15 + 32) == Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

}  // namespace

TEST_CASE("the coding is the one that the client weighs most, then the one we like best") {
    CHECK(chosen("gzip, deflate, br") == "gzip");
    CHECK(chosen("deflate, gzip") == "gzip");
    CHECK(chosen("deflate") == "deflate");
    CHECK(chosen("GZip;Q=0.5, deflate;q=0.8") == "deflate");
    CHECK(chosen("gzip;q=1.000, deflate;q=0.999") == "gzip");
    CHECK(chosen("*") == "gzip");
    CHECK(chosen("*;q=0.1, gzip;q=0") == "deflate");
}

TEST_CASE("nothing is compressed for who does not take it") {
    CHECK(chosen("") == "identity");
    CHECK(chosen("br") == "identity");
    CHECK(chosen("gzip;q=0, deflate;q=0.000") == "identity");
    CHECK(chosen("identity, gzip;q=0.5") == "identity");
    CHECK(chosen("gzip;q=x") == "identity");
    CHECK(chosen("gzip;q=-1") == "identity");
    CHECK(chosen(",;,q=1;") == "identity");
}

TEST_CASE("what is compressed comes back, in both formats") {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919 % 1000);
    for (const std::string& each : {std::string(), std::string("x"), text}) {
        const std::string gzip = compress(each, ContentCoding::gzip);
        CHECK(gzip.starts_with("\x1f\x8b"));
        CHECK(inflated(gzip, each.size()) == each);
        CHECK(inflated(compress(each, ContentCoding::deflate), each.size()) == each);
    }
}
