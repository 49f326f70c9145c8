/**
 * Tests of the folders that run inside workerd too which do not run there, by path from the
 * project's root, and why.
 */
export const NODE_ONLY: Readonly<Record<string, string>> = {
  'test/http/server.test.ts': "is about Node's HTTP server",
  'test/http/oauth/issuers.test.ts': 'its issuer is a server on Node',
  'test/http/oauth/libraries.test.ts': 'its service is a server on Node',
  'test/http/console/link.test.ts': 'its browsers stand beside an issuer on Node',
  'test/http/console/sign-in.test.ts': 'its issuer is a server on Node',
  'test/http/sign-in/page.test.ts': 'its browser is a program that Node starts',
  'test/http/console/browser.test.ts': 'its browser is a program that Node starts',
  'test/http/console/plans.test.ts': 'its PostgreSQL is a program that Node starts',
  'test/http/console/pages.test.ts': 'its reader of CSV is a program that Node starts',
  'test/http/agent/vendor-agent.test.ts': 'its agent is a program that Node starts',
  'test/http/agent/sketch.test.ts': 'its compiler is a program that Node starts',
  'test/http/openapi/authzen-forms.test.ts': 'Ajv makes functions of texts, which workerd forbids',
  'test/http/openapi/document.test.ts': 'Ajv makes functions of texts, which workerd forbids',
  'test/http/access/message-schemas.test.ts': 'Ajv makes functions of texts, which workerd forbids',
  'test/http/agent/enrolment-swtpm.test.ts': 'its TPM is a program that Node starts',
  'test/http/agent/relay.test.ts':
    'its stand-in for Azure is an HTTPS server on Node; test/azure has what relays inside workerd',
  'test/http/agent/issuers.test.ts':
    'its authority is an HTTP server on Node; test/aia has what is fetched inside workerd',
  'test/http/agent/concurrency-embedded.test.ts': 'is about the database embedded in Node',
  'test/http/health/metrics-page.test.ts': 'reads the pages of this project',
  'test/http/admin/search-time.test.ts': 'its limits of statements are those of a pool on Node',
  'test/http/agent/work.test.ts': 'its stand-in for Azure is an HTTPS server on Node',
  'test/http/admin/lists-beside-changes.test.ts': 'its pools are those of a server on Node',
  'test/http/relying-party/check-status.test.ts': 'its gateway is a program that reads files',
  'test/evidence/fault-offsets.test.ts': 'reads a page of this project',
  'test/evidence/structures-page.test.ts': 'reads a page of this project',
  'test/simulator/load.test.ts': "measures with a histogram that is Node's",
  'test/simulator/loopback-agent.test.ts': 'its agent is a server on Node',
  'test/simulator/service-client.test.ts': 'its silent service is a server on Node',
  'test/edge/node-only.test.ts': 'reads the folders of this project',
}
