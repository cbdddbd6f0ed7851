#include "core/script/json_writer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <random>
#include <string>

#include "core/base/json_text.hpp"

namespace moonwire::script {
namespace {

template <typename Write>
std::string written(Write write) {
    std::string out;
    {
        JsonWriter writer(out);
        write(writer);
    }
    return out;
}

std::string number(double value) {
    return written([&](JsonWriter& writer) { writer.number(value); });
}

TEST_CASE("texts of every length are written whole, an odd byte anywhere in them noticed") {
    for (std::size_t size = 0; size < 300; ++size) {
        const std::string plain(size, 'x');
        CHECK(written([&](JsonWriter& writer) { CHECK(writer.text(plain)); }) == '"' + plain + '"');
        for (std::size_t at = 0; at < size; ++at) {
            for (const char odd : {'"', '\\', '\n', '\x1f', '\x7f', ' ', '\xff'}) {
                std::string text = plain;
                text[at] = odd;
                std::string out;
                bool good = false;
                {
                    JsonWriter writer(out);
                    good = writer.text(text);
                }
                if (good != (odd != '\xff') || out != (good ? json_string(text) : std::string()))
                    FAIL("size ", size, ", at ", at, ", byte ", static_cast<int>(odd), ": ", out);
            }
        }
    }
}

TEST_CASE("numbers are the shortest text of the same double") {
    std::mt19937_64 random(1);
    const auto shortest = [](double value) {
        std::array<char, 32> text;
        const auto end = std::to_chars(text.begin(), text.end(), value).ptr;
        return std::string(text.begin(), end);
    };
    for (int i = 0; i < 200'000; ++i) {
        const double places = std::pow(10, static_cast<double>(random() % 9));
        const double value = static_cast<double>(static_cast<std::int64_t>(random() >> 12) -
                                                 (std::int64_t{1} << 51)) /
                             places / static_cast<double>(1u << random() % 24);
        const std::string text = number(value);
        double back = 0;
        std::from_chars(text.data(), text.data() + text.size(), back);
        if (back != value || text.size() > std::max<std::size_t>(shortest(value).size(), 17))
            FAIL(text, " for ", shortest(value));
    }
    CHECK(number(0) == "0");
    CHECK(number(-7) == "-7");
    CHECK(number(100) == "100");
    CHECK(number(13.05) == "13.05");
    CHECK(number(-0.001) == "-0.001");
    CHECK(number(9007199254740992) == "9007199254740992");
    CHECK(number(18014398509481984) == "1.8014398509481984e+16");
    CHECK(number(1e-300) == "1e-300");
}

TEST_CASE("tokens follow each other, however long they are") {
    std::mt19937_64 random(2);
    std::string expected;
    const std::string out = written([&](JsonWriter& writer) {
        for (int i = 0; i < 2000; ++i) {
            const std::string text(random() % (i % 50 == 0 ? 5000 : 40), 'y');
            writer.put('[');
            writer.put(text);
            CHECK(writer.text(text));
            writer.number(i);
            expected += '[' + text + '"' + text + '"' + std::to_string(i);
            REQUIRE(writer.size() == expected.size());
        }
    });
    CHECK(out == expected);
}

}  // namespace
}  // namespace moonwire::script
