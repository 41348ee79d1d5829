// SPDX-License-Identifier: Apache-2.0
// A connection to the session bus, and messages on it, as far as SecretService needs them. Blocking: only a command uses
// it, for a moment.
// Source: sd_bus_open_user(3), sd_bus_message_append_basic(3), sd_bus_message_sensitive(3). Of sd-bus only functions with
// a fixed number of arguments can be called from Swift.

import CSystemd
import Glibc

struct SessionBus: ~Copyable {
    private let bus: OpaquePointer

    /// - Parameter answerUsec: the time for each answer.
    init(answerUsec: UInt64) throws(SecretService.Failure) {
        var bus: OpaquePointer?
        guard sd_bus_open_user(&bus) >= 0, let bus else { throw .noBus }
        sd_bus_set_method_call_timeout(bus, answerUsec)
        self.bus = bus
    }

    deinit { sd_bus_flush_close_unref(bus) }

    /// A question to be filled and sent.
    func call(
        _ destination: String, _ path: String, _ interface: String, _ member: String
    ) throws(SecretService.Failure) -> BusMessage {
        var message: OpaquePointer?
        let result = sd_bus_message_new_method_call(bus, &message, destination, path, interface, member)
        guard result >= 0, let message else { throw .refused(Self.text(result)) }
        return BusMessage(owning: message)
    }

    /// Sends a question and waits for its answer.
    func send(_ question: borrowing BusMessage) throws(SecretService.Failure) -> BusMessage {
        var error = sd_bus_error()
        defer { sd_bus_error_free(&error) }
        var reply: OpaquePointer?
        let result = sd_bus_call(bus, question.message, 0, &error, &reply)
        guard result >= 0, let reply else {
            let name = error.name.map { String(cString: $0) } ?? ""
            if ["ServiceUnknown", "NameHasNoOwner", "Spawn.ServiceNotFound"].contains(where: {
                name == "org.freedesktop.DBus.Error.\($0)"
            }) {
                throw .noService
            }
            throw .refused(name.isEmpty ? Self.text(result) : name)
        }
        // Its memory is overwritten when it is freed.
        sd_bus_message_sensitive(reply)
        return BusMessage(owning: reply)
    }

    static func text(_ result: Int32) -> String { String(cString: strerror(-result)) }
}

/// One message; what is read from it moves on.
struct BusMessage: ~Copyable {
    let message: OpaquePointer

    init(owning message: OpaquePointer) {
        self.message = message
    }

    deinit { sd_bus_message_unref(message) }

    /// Takes the result of a function of sd-bus.
    @discardableResult
    private func check(_ result: Int32) throws(SecretService.Failure) -> Int32 {
        guard result >= 0 else { throw .refused(SessionBus.text(result)) }
        return result
    }

    private static let string = CChar(UInt8(ascii: "s"))
    private static let path = CChar(UInt8(ascii: "o"))
    private static let array = CChar(UInt8(ascii: "a"))

    // MARK: - Writing

    mutating func append(_ text: String) throws(SecretService.Failure) {
        try check(text.withCString { sd_bus_message_append_basic(message, Self.string, $0) })
    }

    mutating func append(objectPath: String) throws(SecretService.Failure) {
        try check(objectPath.withCString { sd_bus_message_append_basic(message, Self.path, $0) })
    }

    mutating func append(variant text: String) throws(SecretService.Failure) {
        try check(sd_bus_message_open_container(message, CChar(UInt8(ascii: "v")), "s"))
        try append(text)
        try check(sd_bus_message_close_container(message))
    }

    mutating func append(objectPaths: [String]) throws(SecretService.Failure) {
        try check(sd_bus_message_open_container(message, Self.array, "o"))
        for path in objectPaths { try append(objectPath: path) }
        try check(sd_bus_message_close_container(message))
    }

    mutating func append(_ dictionary: [(name: String, value: String)]) throws(SecretService.Failure) {
        try check(sd_bus_message_open_container(message, Self.array, "{ss}"))
        for entry in dictionary {
            try check(sd_bus_message_open_container(message, CChar(UInt8(ascii: "e")), "ss"))
            try append(entry.name)
            try append(entry.value)
            try check(sd_bus_message_close_container(message))
        }
        try check(sd_bus_message_close_container(message))
    }

    // MARK: - Reading

    func skip(_ types: String) throws(SecretService.Failure) {
        try check(sd_bus_message_skip(message, types))
    }

    func enter(_ type: Unicode.Scalar, _ contents: String) throws(SecretService.Failure) {
        guard try check(sd_bus_message_enter_container(message, CChar(type.value), contents)) > 0 else {
            throw .refused("an answer that ends too soon")
        }
    }

    func objectPath() throws(SecretService.Failure) -> String {
        guard let path = try nextPath() else { throw .refused("an answer that ends too soon") }
        return path
    }

    func objectPaths() throws(SecretService.Failure) -> [String] {
        try enter("a", "o")
        var paths: [String] = []
        while let path = try nextPath() { paths.append(path) }
        try check(sd_bus_message_exit_container(message))
        return paths
    }

    private func nextPath() throws(SecretService.Failure) -> String? {
        var text: UnsafePointer<CChar>?
        guard try check(sd_bus_message_read_basic(message, Self.path, &text)) > 0, let text else {
            return nil
        }
        return String(cString: text)
    }

    func bytes() throws(SecretService.Failure) -> [UInt8] {
        var start: UnsafeRawPointer?
        var count = 0
        try check(sd_bus_message_read_array(message, CChar(UInt8(ascii: "y")), &start, &count))
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }
}
