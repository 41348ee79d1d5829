// SPDX-License-Identifier: Apache-2.0
// Which candidate and credential a session was answered by, so that its next request finds the provider's prompt cache
// warm. A value without clock; times are microseconds of one clock.
// Source: the session stickiness of Auto AI Router (written after success, six minutes, refreshed by use).

package struct Affinity: Equatable, Sendable {
    /// As long as providers keep a prompt cache warm, and a little more.
    package static let lifeUsec: UInt64 = 360_000_000
    /// The most sessions that are remembered.
    package static let maximumCount = 16_384

    package struct Place: Equatable, Sendable {
        package let provider: Int
        package let model: String
        package let credential: Int
    }

    private struct Entry: Equatable {
        let place: Place
        let until: UInt64
    }

    private var places: [UInt64: Entry] = [:]

    package init() {}

    /// - Parameter session: 0 for none.
    package func place(of session: UInt64, _ now: UInt64) -> Place? {
        guard session != 0, let entry = places[session], entry.until > now else { return nil }
        return entry.place
    }

    package mutating func answered(_ session: UInt64, by place: Place, _ now: UInt64) {
        guard session != 0 else { return }
        if places.count >= Self.maximumCount, places[session] == nil {
            places = places.filter { $0.value.until > now }
            // All are in use: they must find their place anew, which costs a cold cache and no answer.
            if places.count >= Self.maximumCount { places = [:] }
        }
        places[session] = Entry(place: place, until: now + Self.lifeUsec)
    }

    /// The place did not answer; the session looks for another.
    package mutating func failed(_ session: UInt64, at provider: Int, _ model: String) {
        guard session != 0, let entry = places[session], entry.place.provider == provider,
            entry.place.model == model
        else { return }
        places[session] = nil
    }
}
