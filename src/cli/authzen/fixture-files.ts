/**
 * The fixture of the AuthZEN certification ("authorization-api-1_0-scenario") as what an administrator
 * would write: a policy and an import of entities. Nothing that decides knows of either.
 */

const texts = (title: string, repair: string) => ({ en: { title, repair } })

export const FIXTURE_POLICY = {
  name: 'AuthZEN certification fixture',
  description:
    'Who may do what to the records of the scenario. It is for certification runs: it grants users ' +
    'without looking at any device.',
  device: 'subject.type != "user"',
  clauses: [
    {
      id: 'known_actions',
      require:
        'resource.type == "record" && resource.id in ["record-1", "record-2"]' +
        ' && action.name in ["read", "write", "delete"]',
      severity: 'enforce',
      texts: texts('Not part of the scenario', 'Ask about a record and an action of the scenario.'),
    },
    {
      id: 'readers',
      when: 'action.name == "read"',
      require: 'subject.id in ["alice", "bob"]',
      severity: 'enforce',
      texts: texts('This user reads no records', 'Ask as alice or bob.'),
    },
    {
      id: 'writers',
      when: 'action.name == "write"',
      require:
        'has(resource.properties.status) && resource.properties.status == "archived"' +
        ' ? has(subject.properties.role) && subject.properties.role == "admin"' +
        ' : subject.id == "alice"',
      severity: 'enforce',
      texts: texts('This user does not write this record', 'Archived records are for admins.'),
    },
    {
      id: 'soft_deletes',
      when: 'action.name == "delete"',
      require: 'subject.id == "alice" && action.properties.soft == true',
      severity: 'enforce',
      texts: texts('Only soft deletion is allowed', 'Delete softly, as alice.'),
    },
  ],
}

export const FIXTURE_ENTITIES = [
  { kind: 'subject', type: 'user', id: 'alice', properties: {} },
  { kind: 'subject', type: 'user', id: 'bob', properties: { role: 'admin' } },
  { kind: 'resource', type: 'record', id: 'record-1', properties: { status: 'active' } },
  { kind: 'resource', type: 'record', id: 'record-2', properties: { status: 'archived' } },
  { kind: 'action', name: 'read', properties: {} },
  { kind: 'action', name: 'write', properties: {} },
  { kind: 'action', name: 'delete', properties: {} },
]

/** As `policy apply` and `entities import` read them. */
export const FIXTURE_FILES = {
  'policy.json': `${JSON.stringify(FIXTURE_POLICY, null, 2)}\n`,
  'entities.jsonl': FIXTURE_ENTITIES.map((entity) => `${JSON.stringify(entity)}\n`).join(''),
}
