#include "plugins/redis/address.hpp"

#include <charconv>
#include <stdexcept>
#include <string_view>

namespace moonwire::redis {
namespace {

[[noreturn]] void refuse(const char* what) { throw std::runtime_error(what); }

int number_of(std::string_view text, int min, int max, const char* otherwise) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < min || number > max)
        refuse(otherwise);
    return number;
}

std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned code = 0;
        const std::string_view digits = text.substr(i + 1, 2);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2)
            refuse("the url has a % that begins no escape");
        out += static_cast<char>(code);
        i += 2;
    }
    return out;
}

/// Takes "user:password@" from the front.
void take_login(std::string_view& rest, Address& address) {
    const std::size_t at = rest.substr(0, rest.find('/')).rfind('@');
    if (at == rest.npos) return;
    const std::string_view login = rest.substr(0, at);
    const std::size_t colon = login.find(':');
    address.user = unescape(login.substr(0, colon));
    if (colon != login.npos) address.password = unescape(login.substr(colon + 1));
    if (address.password.empty()) refuse("the url names a user and no password");
    rest.remove_prefix(at + 1);
}

constexpr const char* kDatabase = "the url's database must be a number";

}  // namespace

std::string Address::shown() const {
    if (!path.empty()) return "unix://" + path;
    const bool brackets = host.find(':') != host.npos;  // an IPv6 address has them again
    return "redis://" + (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address parse_address(const std::string& url) {
    if (url.find('\0') != url.npos) refuse("the url is malformed");
    if (url.starts_with("rediss://"))
        refuse("rediss:// (TLS) is not supported: give it a tunnel, such as stunnel");
    Address address;
    std::string_view rest = url;
    if (rest.starts_with("unix://")) {
        rest.remove_prefix(7);
        take_login(rest, address);
        if (const std::size_t query = rest.find('?'); query != rest.npos) {
            std::string_view option = rest.substr(query + 1);
            if (!option.starts_with("db=")) refuse("the url has an unknown option");
            number_of(option.substr(3), 0, 1 << 20, kDatabase);
            rest = rest.substr(0, query);
        }
        if (!rest.starts_with('/')) refuse("the url names no path: expected unix:///path");
        address.path = rest;
        return address;
    }
    if (!rest.starts_with("redis://")) refuse("the url must begin with redis:// or unix://");
    rest.remove_prefix(8);
    take_login(rest, address);
    const std::size_t slash = rest.find('/');
    if (slash != rest.npos && slash + 1 < rest.size())
        number_of(rest.substr(slash + 1), 0, 1 << 20, kDatabase);
    std::string_view place = rest.substr(0, slash);
    if (place.starts_with('[')) {
        const std::size_t end = place.find(']');
        if (end == place.npos) refuse("the url has a [ without its ]");
        address.host = place.substr(1, end - 1);
        place.remove_prefix(end + 1);
    } else {
        address.host = place.substr(0, place.find(':'));
        place.remove_prefix(address.host.size());
    }
    if (address.host.empty()) refuse("the url names no host");
    if (!place.empty()) {
        if (!place.starts_with(':')) refuse("the url is malformed behind its host");
        address.port =
            number_of(place.substr(1), 1, 65'535, "the url's port must be from 1 to 65535");
    }
    return address;
}

}  // namespace moonwire::redis
