package broker

// The -ERR texts a client can be sent. They are part of the wire contract: clients compare them, in lower case, byte for
// byte. Source: docs/spec/client-protocol.md §13.
const (
	errTextUnknownOp          = "Unknown Protocol Operation"
	errTextParser             = "Parser Error"
	errTextRouteLine          = "maximum control line exceeded"
	errTextAuthorization      = "Authorization Violation"
	errTextClientProtocol     = "Invalid Client Protocol"
	errTextControlLine        = "Maximum Control Line Exceeded"
	errTextMaxPayload         = "Maximum Payload Violation"
	errTextMaxConnections     = "Maximum Connections Exceeded"
	errTextStale              = "Stale Connection"
	errTextInvalidSubject     = "Invalid Subject"
	errTextMaxSubscriptions   = "maximum subscriptions exceeded"
	errTextTLSRequired        = "Secure Connection - TLS Required"
	errTextThrottled          = "Connection throttling is active. Please try again later."
	errTextAuthTimeout        = "Authorization Timeout"
	errTextAccountConnections = "maximum account active connections exceeded"
	errTextNoHeaders          = "no responders requires headers support"
)

// errTextPublishPermission is followed by the quoted subject of a publish that is not allowed
// (docs/spec/client-protocol.md §12.1), and the other one by that of a subscription.
const (
	errTextPublishPermission   = "Permissions Violation for Publish to "
	errTextSubscribePermission = "Permissions Violation for Subscription to "
)

// closeReason says why a connection ended, in the words of the log and of the monitoring pages
// (docs/spec/monitoring.md §5.3).
type closeReason string

const (
	reasonClientClosed       closeReason = "Client Closed"
	reasonReadError          closeReason = "Read Error"
	reasonWriteError         closeReason = "Write Error"
	reasonProtocol           closeReason = "Protocol Violation"
	reasonClientProtocol     closeReason = "Bad Client Protocol Version"
	reasonParseError         closeReason = "Parse Error"
	reasonAuthorization      closeReason = "Authentication Failure"
	reasonAuthTimeout        closeReason = "Authentication Timeout"
	reasonAccountConnections closeReason = "Maximum Account Connections Exceeded"
	reasonAccountChanged     closeReason = "Authentication Expired"
	reasonTLSHandshake       closeReason = "TLS Handshake Failure"
	reasonMaxConnections     closeReason = "Maximum Connections Exceeded"
	reasonMaxPayload         closeReason = "Maximum Message Payload Exceeded"
	reasonMaxControlLine     closeReason = "Maximum Control Line Exceeded"
	reasonSlowPending        closeReason = "Slow Consumer (Pending Bytes)"
	reasonSlowDeadline       closeReason = "Slow Consumer (Write Deadline)"
	reasonStale              closeReason = "Stale Connection"
	reasonShutdown           closeReason = "Server Shutdown"
	reasonNoHeaders          closeReason = "No Responders Requires Headers"
)
