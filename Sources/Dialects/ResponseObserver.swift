// SPDX-License-Identifier: Apache-2.0
// Looks at an upstream's answer while its bytes pass untouched: whether it has really begun, whether it ended
// as its dialect asks, what it reported, and how many tokens it cost.
// Source: the API references named in EventObserver.swift and StreamFailure.swift.

import EventStream
package import Gateway
package import JSON

/// The observer of one upstream answer with status 200. No I/O, no clock.
package struct ResponseObserver {
    package enum Phase: Equatable, Sendable {
        /// Only greetings so far: the request may still go to another provider.
        case undecided
        /// A real part of the answer is there.
        case content
        /// The answer is complete. Bytes that follow belong to it and change nothing.
        case finished
        /// The upstream reported an error, or ended too early.
        case failed(StreamFailure)
    }

    package let endpoint: Endpoint
    private let isEventStream: Bool
    private var scanner = EventStreamScanner()
    private(set) var events: EventObserver
    private var document: DocumentObserver

    /// - Parameter isEventStream: the answer's content type is `text/event-stream`; otherwise it is one document.
    package init(endpoint: Endpoint, isEventStream: Bool) {
        self.endpoint = endpoint
        self.isEventStream = isEventStream
        events = EventObserver(endpoint: endpoint)
        document = DocumentObserver(endpoint: endpoint)
    }

    package var phase: Phase { isEventStream ? events.phase : document.phase }

    /// What the upstream reported up to now, in disjoint classes.
    package var usage: Usage { isEventStream ? events.usage : document.usage }

    /// Whether events of ccr's own may follow the bytes so far.
    package var isAtBoundary: Bool { isEventStream && scanner.isAtBoundary }

    /// Takes note of the next bytes of the body, after transfer and content codings are undone.
    ///
    /// - Parameter parser: any parser; values that the caller has from it become invalid.
    package mutating func received(_ bytes: UnsafeRawBufferPointer, parser: JSONParser) {
        guard isEventStream else { return document.received(bytes, parser) }
        do throws(EventStreamError) {
            try scanner.scan(bytes) { events.received($0, parser) }
        } catch {
            events.gaveUp()
        }
    }

    /// Takes note that the upstream closed the body cleanly. A broken connection is the caller's to report.
    package mutating func ended() {
        if isEventStream {
            events.ended()
        } else {
            document.ended()
        }
    }
}
