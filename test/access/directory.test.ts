import { describe, expect, test } from 'vitest'
import { deviceOfRequest } from '../../src/access/device-of-request.ts'
import {
  completeRequest,
  directoryOf,
  type EntityKind,
  entitiesOf,
  entityKey,
  isDirectoryName,
} from '../../src/access/directory.ts'
import { parseEvaluation } from '../../src/access/evaluation-request.ts'
import { expectOk } from '../support/refusal.ts'

/**
 * That what a caller sends wins, and that nothing is merged inside, are the words of the AuthZEN
 * certification's scenario document for defaults ("there is no sub-field merging"). That the directory
 * goes by the same rule is ours, and has no witness outside.
 */
const ALL: ReadonlySet<EntityKind> = new Set<EntityKind>(['subject', 'resource', 'action'])

function ask(question: object = {}) {
  const whole = {
    subject: { type: 'user', id: 'alice' },
    resource: { type: 'record', id: 'record-1' },
    action: { name: 'write' },
    ...question,
  }
  return expectOk(parseEvaluation(whole))
}

const DIRECTORY = {
  subject: { role: 'admin', address: { city: 'Bonn', zip: '53111' } },
  resource: { status: 'archived' },
  action: { soft: true },
}

describe('a question that says nothing about its entities', () => {
  test('has what the directory says', () => {
    const completed = completeRequest(ask(), DIRECTORY)
    expect(completed.subject.properties).toEqual(DIRECTORY.subject)
    expect(completed.resource.properties).toEqual(DIRECTORY.resource)
    expect(completed.action.properties).toEqual(DIRECTORY.action)
  })

  test('keeps the members by which it names its device', () => {
    const named = ask({
      subject: { type: 'user', id: 'alice', properties: { device_id: 'dev_a' } },
    })
    const { subject } = completeRequest(named, DIRECTORY)
    expect(subject.properties).toEqual({ ...DIRECTORY.subject, device_id: 'dev_a' })
  })

  test('is as it was where the directory knows nothing', () => {
    const question = ask()
    expect(completeRequest(question, {})).toBe(question)
  })
})

describe('what a caller sends', () => {
  test('wins as a whole: no other property of the entity comes beside it', () => {
    const sent = ask({
      subject: { type: 'user', id: 'alice', properties: { department: 'sales' } },
      resource: { type: 'record', id: 'record-1', properties: { status: 'active' } },
      action: { name: 'write', properties: { soft: false } },
    })
    expect(completeRequest(sent, DIRECTORY)).toEqual(sent)
  })

  test('is not merged inside of a property', () => {
    const sent = ask({
      subject: { type: 'user', id: 'alice', properties: { address: { city: 'Köln' } } },
    })
    expect(completeRequest(sent, DIRECTORY).subject.properties).toEqual({
      address: { city: 'Köln' },
    })
  })

  test('counts even where it has the name of a prototype', () => {
    const properties = JSON.parse('{"__proto__": {"role": "admin"}}')
    const sent = ask({ subject: { type: 'user', id: 'alice', properties } })
    const completed = completeRequest(sent, DIRECTORY).subject.properties
    expect(JSON.stringify(completed)).toBe('{"__proto__":{"role":"admin"}}')
    expect(entitiesOf(sent, new Set(['subject']))).toEqual([])
  })
})

describe('a property of the directory that has the name of one of a device', () => {
  test('names no device, and goes behind the one that was named', () => {
    const pretending = { subject: { device_id: 'dev_good', device_token: 'eyJ' } }
    const question = ask()
    const { subject } = question
    expect(deviceOfRequest({ subject })).toMatchObject({ ok: false })
    const named = ask({
      subject: { type: 'user', id: 'alice', properties: { device_id: 'dev_b' } },
    })
    expect(completeRequest(named, pretending).subject.properties.device_id).toBe('dev_b')
  })
})

describe('a property of the directory named after a prototype', () => {
  test('stays a property, and changes nothing else', () => {
    const directory = { subject: JSON.parse('{"__proto__": {"role": "admin"}}') }
    const completed = completeRequest(ask(), directory).subject.properties
    expect(Object.hasOwn(completed, '__proto__')).toBe(true)
    expect(Object.getPrototypeOf(completed)).toBe(Object.prototype)
    expect('role' in completed).toBe(false)
  })
})

describe('which entities are looked up', () => {
  test('those that the policy reads and the question leaves open', () => {
    expect(entitiesOf(ask(), ALL)).toEqual([
      { kind: 'subject', type: 'user', id: 'alice' },
      { kind: 'resource', type: 'record', id: 'record-1' },
      { kind: 'action', type: '', id: 'write' },
    ])
    expect(entitiesOf(ask(), new Set(['resource']))).toHaveLength(1)
    const sent = ask({ action: { name: 'write', properties: { soft: true } } })
    expect(entitiesOf(sent, new Set(['action']))).toEqual([])
  })

  test('no device: what is known of one is what it attests', () => {
    const question = ask({ subject: { type: 'device', id: 'dev_a' } })
    expect(entitiesOf(question, new Set(['subject']))).toEqual([])
  })

  test.each([
    ['NUL', 'a\0b'],
    ['half of a surrogate pair', '\ud800'],
    ['nothing', ''],
    ['more bytes than an index takes', 'ü'.repeat(600)],
  ])('none whose id is %s: no such entity can be there', (_name, id) => {
    expect(entitiesOf(ask({ subject: { type: 'user', id } }), new Set(['subject']))).toEqual([])
  })

  test('by their bytes: composed and decomposed letters, and case, are different names', () => {
    const names = ['é', 'e\u0301', 'É', 'e'].map(
      (id) => ({ kind: 'subject', type: 'user', id }) as const,
    )
    expect(new Set(names.map(entityKey)).size).toBe(4)
    expect(names.every(isDirectoryName)).toBe(true)
  })

  test('an entity named after a prototype is found under its own name alone', () => {
    const question = ask({ subject: { type: '__proto__', id: 'constructor' } })
    expect(directoryOf(question, new Set(['subject']), new Map())).toEqual({})
    const key = entityKey({ kind: 'subject', type: '__proto__', id: 'constructor' })
    const found = directoryOf(question, new Set(['subject']), new Map([[key, { a: 1 }]]))
    expect(found).toEqual({ subject: { a: 1 } })
  })
})
