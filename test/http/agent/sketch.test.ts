import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '../../support/left-out.ts'
import { createTestService, type TestService } from '../../support/service.ts'
import { openTestDatabase, type TestDatabase } from '../../support/test-database.ts'

const SKETCH = resolve('docs/examples/send_to_att_service.cpp')
const isPresent = spawnSync('g++', ['--version']).status === 0

/** Prints what it would send, and reads the answer from its input, which it prints as well. */
const PROGRAM = `
#include "${SKETCH}"
#include <iostream>
#include <iterator>
int main(int, char** argv) {
    try {
        const auto post = [&](const std::string& url, const std::string& body) {
            std::cout << url << "\\n" << body << "\\n" << std::flush;
            std::istreambuf_iterator<char> in(std::cin), end;
            return countersign::HttpAnswer{std::stoi(argv[2]), std::string(in, end)};
        };
        std::cout << countersign::send_to_att_service("http://service", argv[1], post) << "\\n";
    } catch (const countersign::Refused& refused) {
        std::cout << "refused " << refused.status << "\\n";
    }
}
`

/** The compiler, which reads the sketch as a vendor's would, and the service, which takes what it sends. */
describeWith('compiler', isPresent, 'the function that sends, in C++', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-sketch-'))
  const program = join(folder, 'sketch')
  let database: TestDatabase
  let service: TestService

  beforeAll(async () => {
    const source = join(folder, 'main.cpp')
    writeFileSync(source, PROGRAM)
    const strict = ['-std=c++17', '-Wall', '-Wextra', '-Wconversion', '-Werror']
    execFileSync('g++', [...strict, source, '-o', program])
    database = await openTestDatabase()
    service = await createTestService({ database })
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await database?.close()
  })

  const run = (message: string, status: number, answer: string) => {
    const told = execFileSync(program, [message, String(status)], { input: answer })
    const [url = '', body = '', outcome = ''] = told.toString('utf8').split('\n')
    return { path: url.replace('http://service', ''), body, outcome }
  }

  test('sends what the service answers, and gives what it answered', async () => {
    const message = JSON.stringify({ payload: { type: 'aikcert' }, metadata: { os_ver: 'Ü€' } })
    const { path, body } = run(message, 200, '{"data":"e30"}')
    const answer = await service.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    const text = await answer.text()
    expect(answer.status, text).toBe(200)
    const { outcome } = run(message, answer.status, text)
    expect(JSON.parse(outcome)).toEqual({
      payload: { challenge: expect.any(String), service_context: expect.any(String) },
    })
  })

  test('tells a refusal from an answer', async () => {
    const answer = await service.post('/attest/Tpm', { data: 'e30' })
    expect(run('{}', answer.status, await answer.text()).outcome).toBe('refused 400')
  })

  test.each([0, 1, 2, 3, 4, 255, 256, 257])('encodes %d bytes as RFC 4648 does', (length) => {
    const message = 'é~'.repeat(length).slice(0, length)
    const data = Buffer.from(message).toString('base64url')
    const { body, outcome } = run(message, 200, JSON.stringify({ data }))
    expect(JSON.parse(body)).toEqual({ data })
    expect(outcome).toBe(message)
  })
})
