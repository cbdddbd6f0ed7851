#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace moonwire::script {

/// Metres between two points given in degrees: the haversine formula on a sphere of the earth's
/// mean radius (6 371 008.8 m).
double geo_distance(double lat1, double lon1, double lat2, double lon2);

/// Points on the earth in a grid of cells, to find those near a place without a scan.
///
/// One thread. A point may have a *reach*: it is only found from within it. Cells are squares of
/// the given size at the equator; towards the poles a search looks at more of them, and where that
/// would be more than there are points it looks at every point.
class GeoIndex {
public:
    struct Found {
        std::string_view id;  // valid until the index changes
        double metres;
    };

    /// `cell_metres` must be positive; best about the usual search radius.
    explicit GeoIndex(double cell_metres);

    /// Adds or moves a point. `reach_metres` may be infinite.
    void set(std::string_view id, double lat, double lon, double reach_metres);
    bool remove(std::string_view id);
    bool contains(std::string_view id) const { return points_.find(id) != points_.end(); }
    std::size_t size() const noexcept { return points_.size(); }

    /// Points within min(radius, their reach), nearest first (ties by id), at most `limit`. The
    /// result is overwritten by the next call.
    const std::vector<Found>& near(double lat, double lon, double radius_metres,
                                   std::size_t limit);

private:
    using Cell = std::uint64_t;
    /// On the sphere of radius 1.
    struct Direction {
        double x, y, z;
    };
    struct Point {
        std::string id;
        double lat, lon, cos_lat;
        Cell cell;
    };
    /// What a search must know of every point in a cell, side by side: most are too far.
    struct Member {
        Direction direction;
        double reach;
        const Point* point;
    };
    /// Where a search looks from, and how far.
    struct Search {
        double lat, lon, cos_lat, radius;
        Direction direction;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };

    std::int64_t row_of(double lat) const;
    std::int64_t column_of(double lon) const;
    Cell cell_of(double lat, double lon) const;
    void take_out(const Point* point);
    static Direction direction_of(double lat, double lon, double cos_lat);
    void consider(const Member& member, const Search& search);

    const double cell_degrees_;
    const std::int64_t columns_;
    std::unordered_map<std::string, Point, Hash, std::equal_to<>> points_;
    std::unordered_map<Cell, std::vector<Member>> cells_;
    std::vector<Found> found_;
};

}  // namespace moonwire::script
