// SPDX-License-Identifier: Apache-2.0
// Writes the head of a request. The framing is ccr's: a field that would contradict it is left out.
// Source: RFC 9112 §3 (request line), §6.2; CURLOPT_HTTPHEADER(3) (the notation of the fields).

import Bytes
import Curl

enum PlainRequestHead {
    /// Appends the head.
    static func write(_ request: TransferRequest, to address: PlainAddress, into out: inout [UInt8]) {
        out.append(request.body == nil ? "GET " : "POST ")
        out.append(contentsOf: address.target)
        out.append(" HTTP/1.1\r\n")
        var hasHost = false
        request.headers.withUnsafeBytes { lines in
            var start = 0
            while start < lines.count, let end = lines.firstIndex(of: 0, from: start) {
                write(line: lines.slice(start..<end), &hasHost, into: &out)
                start = end + 1
            }
        }
        if !hasHost {
            out.append("Host: ")
            out.append(contentsOf: address.host)
            out.append("\r\n")
        }
        if let body = request.body {
            out.append("Content-Length: ")
            out.append(decimal: body.size)
            out.append("\r\n")
        }
        out.append("\r\n")
    }

    private static func write(line: UnsafeRawBufferPointer, _ hasHost: inout Bool, into out: inout [UInt8]) {
        guard let last = line.last else { return }
        switch ASCII.lower(line[0]) {
        case UInt8(ascii: "h"):
            if isField("host", line) {
                // The first one counts: two are refused by every server.
                guard !hasHost else { return }
                hasHost = true
            }
        case UInt8(ascii: "c"): if isField("content-length", line) || isField("connection", line) { return }
        case UInt8(ascii: "t"): if isField("transfer-encoding", line) || isField("te", line) { return }
        default: break
        }
        if last == ASCII.colon || last == ASCII.space || last == ASCII.tab, isWithoutValue(line) {
            // libcurl's way to say that it is not to add the field; nothing is added here.
            return
        }
        if last == UInt8(ascii: ";"), line.firstIndex(of: ASCII.colon, from: 0) == nil {
            // And its way to write a field without a value.
            out.append(contentsOf: line.slice(0..<(line.count - 1)))
            out.append(":\r\n")
            return
        }
        out.append(contentsOf: line)
        out.append("\r\n")
    }

    private static func isWithoutValue(_ line: UnsafeRawBufferPointer) -> Bool {
        guard let colon = line.firstIndex(of: ASCII.colon, from: 0) else { return false }
        return line[(colon + 1)...].allSatisfy { $0 == ASCII.space || $0 == ASCII.tab }
    }

    private static func isField(_ name: StaticString, _ line: UnsafeRawBufferPointer) -> Bool {
        let size = name.utf8CodeUnitCount
        return line.count > size && (line[size] == ASCII.colon || line[size] == UInt8(ascii: ";"))
            && ASCII.equalIgnoringCase(line.slice(0..<size), name)
    }
}
