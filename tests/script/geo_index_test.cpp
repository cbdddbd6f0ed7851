#include "core/script/geo_index.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

using moonwire::script::geo_distance;
using moonwire::script::GeoIndex;

namespace {

constexpr double kAny = std::numeric_limits<double>::infinity();

struct Place {
    std::string id;
    double lat, lon, reach;
};

std::vector<std::string> brute_force(const std::vector<Place>& places, double lat, double lon,
                                     double radius, std::size_t limit) {
    std::vector<std::pair<double, std::string>> found;
    for (const Place& place : places) {
        const double metres = geo_distance(lat, lon, place.lat, place.lon);
        if (metres <= std::min(radius, place.reach)) found.emplace_back(metres, place.id);
    }
    std::sort(found.begin(), found.end());
    if (found.size() > limit) found.resize(limit);
    std::vector<std::string> ids;
    for (const auto& [metres, id] : found) ids.push_back(id);
    return ids;
}

std::vector<std::string> ids_near(GeoIndex& index, double lat, double lon, double radius,
                                  std::size_t limit) {
    std::vector<std::string> ids;
    for (const auto& found : index.near(lat, lon, radius, limit)) ids.emplace_back(found.id);
    return ids;
}

}  // namespace

TEST_CASE("distances are the haversine's") {
    CHECK(geo_distance(0, 0, 0, 0) == 0);
    CHECK(geo_distance(0, 0, 0, 1) == doctest::Approx(111195.08).epsilon(1e-6));
    CHECK(geo_distance(40.7128, -74.0060, 40.7589, -73.9851) == doctest::Approx(5420.8).epsilon(1e-3));
    CHECK(geo_distance(0, 179.9, 0, -179.9) == doctest::Approx(22239).epsilon(1e-4));
}

TEST_CASE("near finds what a scan finds, everywhere on earth") {
    std::mt19937 random(7);
    const auto between = [&](double low, double high) {
        return std::uniform_real_distribution<double>(low, high)(random);
    };
    for (const auto& [lat, lon, spread] : {std::tuple{13.1, -59.6, 0.1}, {0.0, 180.0, 0.1},
                                           {0.0, 0.0, 0.1}, {89.95, 0.0, 0.1}, {-89.99, 77.0, 0.05},
                                           {60.0, -179.99, 0.2}}) {
        GeoIndex index(500);
        std::vector<Place> places;
        for (int i = 0; i < 3000; ++i) {
            Place place{"p" + std::to_string(i), std::clamp(lat + between(-spread, spread), -90., 90.),
                        lon + between(-spread, spread) * (std::abs(lat) > 80 ? 900 : 1),
                        i % 3 ? kAny : between(10, 1500)};
            index.set(place.id, place.lat, place.lon, place.reach);
            places.push_back(place);
        }
        for (int i = 0; i < 60; ++i) {
            const double at_lat = std::clamp(lat + between(-spread, spread), -90., 90.);
            const double at_lon = lon + between(-spread, spread);
            const double radius = between(1, i % 5 ? 2000 : 30000);
            const std::size_t limit = i % 2 ? 10 : 100000;
            CHECK(ids_near(index, at_lat, at_lon, radius, limit) ==
                  brute_force(places, at_lat, at_lon, radius, limit));
        }
    }
}

TEST_CASE("a point moves, and goes") {
    GeoIndex index(500);
    index.set("a", 10, 10, kAny);
    index.set("a", 20, 20, kAny);
    CHECK(index.size() == 1);
    CHECK(ids_near(index, 10, 10, 1000, 10).empty());
    CHECK(ids_near(index, 20, 20, 1000, 10) == std::vector<std::string>{"a"});
    CHECK(index.remove("a"));
    CHECK_FALSE(index.remove("a"));
    CHECK(ids_near(index, 20, 20, 1e8, 10).empty());
}
