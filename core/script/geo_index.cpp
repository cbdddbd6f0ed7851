#include "core/script/geo_index.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace moonwire::script {
namespace {

constexpr double kEarthMetres = 6'371'008.8;
constexpr double kRadians = std::numbers::pi / 180.0;
constexpr double kMetresPerDegree = kEarthMetres * kRadians;

double distance(double lat1, double lon1, double cos1, double lat2, double lon2, double cos2) {
    const double half_lat = std::sin((lat2 - lat1) * kRadians / 2);
    const double half_lon = std::sin((lon2 - lon1) * kRadians / 2);
    const double a = half_lat * half_lat + cos1 * cos2 * half_lon * half_lon;
    return 2 * kEarthMetres * std::asin(std::sqrt(std::min(1.0, a)));
}

}  // namespace

double geo_distance(double lat1, double lon1, double lat2, double lon2) {
    return distance(lat1, lon1, std::cos(lat1 * kRadians), lat2, lon2, std::cos(lat2 * kRadians));
}

GeoIndex::GeoIndex(double cell_metres)
    : cell_degrees_(std::clamp(cell_metres / kMetresPerDegree, 1e-5, 90.0)),
      columns_(static_cast<std::int64_t>(std::ceil(360.0 / cell_degrees_))) {}

std::int64_t GeoIndex::row_of(double lat) const {
    return static_cast<std::int64_t>(std::floor((std::clamp(lat, -90.0, 90.0) + 90.0) / cell_degrees_));
}

std::int64_t GeoIndex::column_of(double lon) const {
    const double turned = lon - 360.0 * std::floor(lon / 360.0);  // [0, 360)
    return std::min(static_cast<std::int64_t>(turned / cell_degrees_), columns_ - 1);
}

GeoIndex::Cell GeoIndex::cell_of(double lat, double lon) const {
    return static_cast<Cell>(row_of(lat)) << 32 | static_cast<Cell>(column_of(lon));
}

void GeoIndex::set(std::string_view id, double lat, double lon, double reach_metres) {
    auto found = points_.find(id);
    if (found != points_.end()) take_out(&found->second);
    else found = points_.emplace(std::string(id), Point{}).first;
    Point& point = found->second;
    const double cos_lat = std::cos(lat * kRadians);
    point = {found->first, lat, lon, cos_lat, cell_of(lat, lon)};
    cells_[point.cell].push_back({direction_of(lat, lon, cos_lat), reach_metres, &point});
}

bool GeoIndex::remove(std::string_view id) {
    const auto found = points_.find(id);
    if (found == points_.end()) return false;
    take_out(&found->second);
    points_.erase(found);
    return true;
}

void GeoIndex::take_out(const Point* point) {
    const auto cell = cells_.find(point->cell);
    auto& members = cell->second;
    *std::find_if(members.begin(), members.end(),
                  [point](const Member& each) { return each.point == point; }) = members.back();
    members.pop_back();
    if (members.empty()) cells_.erase(cell);
}

GeoIndex::Direction GeoIndex::direction_of(double lat, double lon, double cos_lat) {
    return {cos_lat * std::cos(lon * kRadians), cos_lat * std::sin(lon * kRadians),
            std::sin(lat * kRadians)};
}

void GeoIndex::consider(const Member& member, const Search& search) {
    // The straight line through the earth is shorter than the way, and costs no sines: most points
    // of the cells are too far by it already.
    constexpr double kRounding = 1e-6;  // metres, far more than what it is off by
    const double most = std::min(search.radius, member.reach);
    const double x = member.direction.x - search.direction.x;
    const double y = member.direction.y - search.direction.y;
    const double z = member.direction.z - search.direction.z;
    if ((x * x + y * y + z * z) * (kEarthMetres * kEarthMetres) >
        (most + kRounding) * (most + kRounding))
        return;
    const Point& point = *member.point;
    const double metres =
        distance(search.lat, search.lon, search.cos_lat, point.lat, point.lon, point.cos_lat);
    if (metres <= most) found_.push_back({point.id, metres});
}

const std::vector<GeoIndex::Found>& GeoIndex::near(double lat, double lon, double radius_metres,
                                                   std::size_t limit) {
    found_.clear();
    const double cos_lat = std::cos(lat * kRadians);
    const Search search{lat, lon, cos_lat, radius_metres, direction_of(lat, lon, cos_lat)};
    const double lat_reach = radius_metres / kMetresPerDegree;
    const std::int64_t first_row = row_of(lat - lat_reach), last_row = row_of(lat + lat_reach);

    // How far the circle reaches east and west: asin(sin(r)/cos(lat)), all round near a pole.
    const double angle = radius_metres / kEarthMetres;
    const double ratio = angle < std::numbers::pi / 2 ? std::sin(angle) / std::max(cos_lat, 1e-12) : 2;
    const bool all_round = ratio >= 1 || lat + lat_reach >= 90 || lat - lat_reach <= -90;
    const double lon_reach = all_round ? 180 : std::asin(ratio) / kRadians;
    const std::int64_t width =
        std::min(columns_, static_cast<std::int64_t>(2 * lon_reach / cell_degrees_) + 3);
    const double cells = static_cast<double>(last_row - first_row + 1) * static_cast<double>(width);

    if (cells > static_cast<double>(cells_.size())) {
        for (const auto& [cell, members] : cells_)
            for (const Member& member : members) consider(member, search);
    } else {
        const std::int64_t west = (column_of(lon - lon_reach) + columns_ - 1) % columns_;
        for (std::int64_t row = first_row; row <= last_row; ++row) {
            std::int64_t column = west;
            for (std::int64_t step = 0; step < width; ++step) {
                const auto cell =
                    cells_.find(static_cast<Cell>(row) << 32 | static_cast<Cell>(column));
                if (++column == columns_) column = 0;
                if (cell == cells_.end()) continue;
                for (const Member& member : cell->second) consider(member, search);
            }
        }
    }

    const auto nearer = [](const Found& a, const Found& b) {
        return a.metres != b.metres ? a.metres < b.metres : a.id < b.id;
    };
    if (found_.size() > limit) {
        std::partial_sort(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(limit),
                          found_.end(), nearer);
        found_.resize(limit);
    } else {
        std::sort(found_.begin(), found_.end(), nearer);
    }
    return found_;
}

}  // namespace moonwire::script
