"""Reads OTLP requests as the official definitions of OpenTelemetry have them, and writes them as JSON."""
import json
import sys
from base64 import b64decode

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {"traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest}
bodies = json.load(sys.stdin)
print(json.dumps([MessageToDict(KINDS[kind].FromString(b64decode(body))) for kind, body in bodies]))
