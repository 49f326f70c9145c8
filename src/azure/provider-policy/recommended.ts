import { CLAIM_NAMES, type ClaimName } from '../../appraisal/claims.ts'
import { policyHashOf } from '../../evidence/token/attestation-token.ts'

/**
 * Known claims that no policy of Azure can issue in the form in which they are read, and why. Their
 * absence decides nothing by itself; a rule that asks for them needs the built-in verifier.
 */
export const NOT_ISSUED: Readonly<Partial<Record<ClaimName, string>>> = {
  secureBootKeys: 'the policy language has no hash function and issues no objects',
  elamDrivers: 'the form of this event in the evidence is documented nowhere',
  aikPurposeNamed: 'Azure Attestation does not say what a certificate of a key says of its use',
  aikEnrolled: 'keys are enrolled here, of which Azure Attestation knows nothing',
  tpmIdentity: 'Azure Attestation does not say which TPM a key lives in',
  aikTrustAnchor: 'Azure Attestation does not say at which root the chain of a key ended',
}

/** The claims for which a provider's policy is looked through. */
export const NEEDED_CLAIMS: readonly ClaimName[] = CLAIM_NAMES.filter(
  (name) => NOT_ISSUED[name] === undefined,
)

const SERVICE = 'issuer=="AttestationService"'
const OURS = 'issuer=="AttestationPolicy"'

/** What Azure Attestation says by itself is passed on under its own name. */
function passOn(...claims: readonly ClaimName[]): string {
  return claims
    .map((name) => `c:[type=="${name}", ${SERVICE}] => issue(type="${name}", value=c.value);`)
    .join('\n')
}

function collect(name: string, from: string, query: string): string {
  const value = `JsonToClaimValue(JmesPath(c.value, "${query}"))`
  return `c:[type=="${from}", ${OURS}] => add(type="${name}", value=${value});`
}

function issueFrom(name: ClaimName, from: string, query: string): string {
  return collect(name, from, query).replace('=> add(', '=> issue(')
}

/** Each application that measured the setting must have said `expected`; unmeasured: no claim. */
function everyIs(name: ClaimName, event: string, expected: boolean): string {
  const set = `${name}Set`
  return `${collect(set, 'loaders', `[*].${event}`)}
c:[type=="${set}", ${OURS}] => issue(type="${name}", value=ContainsOnlyValue(c.value, ${expected}));`
}

/** A protection of which nothing was measured is off. */
function elseOff(...claims: readonly ClaimName[]): string {
  return claims
    .map((name) => `![type=="${name}", ${OURS}] => issue(type="${name}", value=false);`)
    .join('\n')
}

/** A query that is made of the text in other claims, run on the events. */
function queryEvents(name: string, text: string): string {
  return `${text}
q:[type=="${name}Query", ${OURS}] && e:[type=="events", ${SERVICE}] => add(type="${name}", value=JmesPath(e.value, q.value));`
}

const TAGGED = "EventTypeString == 'EV_EVENT_TAG'"
const BOUNDARY = 'ProcessedData.EVENT_TRUSTBOUNDARY'

/** Before its Query claim is made, `beforeClosing` has a condition that ends the boot. */
function queryLoaders(name: string, pcrs: string, drtmPcrs: string): string {
  const begin = `Events[?${TAGGED} && (${drtmPcrs} || ((${pcrs}) && `
  const end = `))].${BOUNDARY}`
  return queryEvents(
    name,
    `c:[type=="beforeClosing", ${OURS}] => add(type="${name}Query", value=AppendString(AppendString("${begin}", c.value), "${end}"));`,
  )
}

/** The first such event in PCR 12 or 13 that comes before the end of the boot and after another. */
function queryNext(
  name: string,
  options: { readonly after: string | undefined; readonly filter: string; readonly pick: string },
): string {
  const { after, filter, pick } = options
  const end = ` && ${TAGGED} && ${filter}]${pick} | @[0]`
  if (after === undefined) {
    return queryEvents(
      name,
      `c:[type=="beforeClosing", ${OURS}] => add(type="${name}Query", value=AppendString(AppendString("Events[?", c.value), "${end}"));`,
    )
  }
  return queryEvents(
    name,
    `a:[type=="${after}", value!="null", ${OURS}] && c:[type=="beforeClosing", ${OURS}] => add(type="${name}Query", value=AppendString(AppendString(AppendString(AppendString("Events[?EventSeq > \`", a.value), "\` && "), c.value), "${end}"));`,
  )
}

function issueNumber(name: ClaimName, from: string): string {
  return `c:[type=="${from}", ${OURS}] => issue(type="${name}", value=JsonToClaimValue(c.value));`
}

const SVN = `${BOUNDARY}.EVENT_APPLICATION_SVN`
const TRANSFER = `${BOUNDARY}.EVENT_TRANSFER_CONTROL.Value`
const MODULES = `${BOUNDARY}.EVENT_LOADEDMODULE_AGGREGATION[]`
const DEFENDER = ['wdboot.sys', 'wd\\\\wdboot.sys']
  .map(
    (file) => `equals_ignore_case(EVENT_FILEPATH, '\\\\windows\\\\system32\\\\drivers\\\\${file}')`,
  )
  .join(' || ')

const RULES: readonly (readonly [string, string])[] = [
  [
    'A token is handed in within minutes after it was made.',
    '=> issueproperty(type="report_validity_in_minutes", value=60);',
  ],
  ['The attestation key and its TPM.', passOn('aikValidated', 'aikPubHash', 'tpmVersion')],
  [
    "The enclave that the agent runs in. Azure's documents have two names for the first claim.",
    `${passOn('vbsReportPresent')}
![type=="vbsReportPresent", ${SERVICE}] && c:[type=="vsmReportPresent", ${SERVICE}] => issue(type="vbsReportPresent", value=c.value);
${passOn(
  'enclaveAuthorId',
  'enclaveOwnerId',
  'enclaveFamilyId',
  'enclaveImageId',
  'enclaveUniqueId',
  'enclaveSvn',
  'enclavePlatformSvn',
  'enclaveSecureKernelSvn',
  'enclaveFlags',
)}`,
  ],
  [
    'Secure Boot: the variable was measured once, into PCR 7, as 1.',
    `c:[type=="events", ${SERVICE}] => add(type="secureBootVariable", value=JmesPath(c.value, "Events[?EventTypeString == 'EV_EFI_VARIABLE_DRIVER_CONFIG' && PcrIndex == \`7\` && ProcessedData.VariableGuid == '8BE4DF61-93CA-11D2-AA0D-00E098032B8C' && ProcessedData.UnicodeName == 'SecureBoot']"));
${issueFrom('secureBootEnabled', 'secureBootVariable', "length(@) == `1` && @[0].ProcessedData.VariableData == 'AQ'")}
${elseOff('secureBootEnabled')}`,
  ],
  [
    `Windows ends its boot with a separator in PCR 12, 13 and 14. What comes later could be anybody's,
so without a separator nothing is believed. PCR 19 and 20 are closed to software.`,
    `c:[type=="events", ${SERVICE}] => add(type="closing", value=JmesPath(c.value, "Events[?EventTypeString == 'EV_SEPARATOR' && (PcrIndex == \`12\` || PcrIndex == \`13\` || PcrIndex == \`14\`)] | @[0].EventSeq"));
c:[type=="closing", value!="null", ${OURS}] => add(type="beforeClosing", value=AppendString(AppendString("EventSeq < \`", c.value), "\`"));`,
  ],
  [
    'What the boot manager and the loaders measured, in all of their PCRs and in the first of them.',
    `${queryLoaders('loaders', 'PcrIndex == `12` || PcrIndex == `13`', 'PcrIndex == `19` || PcrIndex == `20`')}
${queryLoaders('loadersFirst', 'PcrIndex == `12`', 'PcrIndex == `19`')}`,
  ],
  [
    'Settings that each loader measures. One loader that says otherwise decides.',
    [
      everyIs('codeIntegrityEnabled', 'EVENT_CODEINTEGRITY', true),
      everyIs('bootDebuggingDisabled', 'EVENT_BOOTDEBUGGING', false),
      everyIs('osKernelDebuggingDisabled', 'EVENT_OSKERNELDEBUG', false),
      everyIs('hypervisorDebuggingDisabled', 'EVENT_HYPERVISOR_DEBUG', false),
      everyIs('testSigningDisabled', 'EVENT_TESTSIGNING', false),
      everyIs('flightSigningNotEnabled', 'EVENT_FLIGHTSIGNING', false),
      everyIs('notSafeMode', 'EVENT_SAFEMODE', false),
      everyIs('notWinPE', 'EVENT_WINPE', false),
      elseOff('codeIntegrityEnabled'),
    ].join('\n'),
  ],
  [
    'Virtualization-based security, and memory integrity, which is nothing without it.',
    `${collect('vbsRequired', 'loadersFirst', '[*].EVENT_VBS_VSM_REQUIRED')}
${collect('vbsRequired', 'loadersFirst', '[*].EVENT_VBS_MANDATORY_ENFORCEMENT')}
c:[type=="vbsRequired", ${OURS}] => issue(type="vbsEnabled", value=ContainsOnlyValue(c.value, true));
${collect('hvciPolicy', 'loadersFirst', '[*].EVENT_VBS_HVCI_POLICY.Value')}
[type=="vbsEnabled", value==true, ${OURS}] && c:[type=="hvciPolicy", ${OURS}] => issue(type="hvciEnabled", value=ContainsOnlyValue(c.value, 1));
${everyIs('iommuEnabled', 'EVENT_VBS_IOMMU_REQUIRED', true)}
${elseOff('vbsEnabled', 'hvciEnabled', 'iommuEnabled')}`,
  ],
  [
    'BitLocker: the first way of unlocking that is not none.',
    `${issueFrom('bitlockerEnabledValue', 'loadersFirst', '[*].EVENT_BITLOCKER_UNLOCK | @[?Value != `0`].Value | @[0]')}
[type=="bitlockerEnabledValue", ${OURS}] => issue(type="bitlockerEnabled", value=true);
${elseOff('bitlockerEnabled')}`,
  ],
  [
    "Defender's early-launch driver. A module of that name counts when its signature was checked.",
    `${issueFrom('WindowsDefenderElamDriverLoaded', 'loaders', `[*].EVENT_LOADEDMODULE_AGGREGATION[] | @[?EVENT_IMAGEVALIDATED == \`true\` && (${DEFENDER})] | length(@) > \`0\``)}
${elseOff('WindowsDefenderElamDriverLoaded')}`,
  ],
  [
    'Values of the boot, and the lists and policies that Windows loaded.',
    [
      issueFrom('depPolicy', 'loaders', '[*].EVENT_DATAEXECUTIONPREVENTION.Value | @[0]'),
      issueFrom('bootCounter', 'loaders', '[*].EVENT_BOOTCOUNTER | @[?@ >= `0`] | @[0]'),
      issueFrom('codeIntegrityPolicy', 'loaders', '[*].EVENT_SI_POLICY[].RawData'),
      issueFrom('bootRevListInfo', 'loaders', '[*].EVENT_BOOT_REVOCATION_LIST.RawData | @[0]'),
      issueFrom('osRevListInfo', 'loaders', '[*].EVENT_OS_REVOCATION_LIST.RawData | @[0]'),
    ].join('\n'),
  ],
  [
    `Security versions. The boot manager measures its own first; then it hands over to an application
(1 or 2), whose module with a version comes next, and the version after that is the application's.`,
    [
      queryNext('bootMgrSvnSeq', {
        after: undefined,
        filter: `PcrIndex == \`12\` && ${SVN}`,
        pick: '.EventSeq',
      }),
      queryNext('bootMgrSvnValue', {
        after: undefined,
        filter: `PcrIndex == \`12\` && ${SVN}`,
        pick: `.${SVN}`,
      }),
      issueNumber('bootMgrSvn', 'bootMgrSvnValue'),
      queryNext('handoverSeq', {
        after: 'bootMgrSvnSeq',
        filter: `PcrIndex == \`12\` && (${TRANSFER} == \`1\` || ${TRANSFER} == \`2\`)`,
        pick: '.EventSeq',
      }),
      queryNext('moduleSeq', {
        after: 'handoverSeq',
        filter: `PcrIndex == \`13\` && (${MODULES}.EVENT_MODULE_SVN | @[0])`,
        pick: '.EventSeq',
      }),
      queryNext('bootAppSvnValue', {
        after: 'moduleSeq',
        filter: `PcrIndex == \`12\` && ${SVN}`,
        pick: `.${SVN}`,
      }),
      issueNumber('bootAppSvn', 'bootAppSvnValue'),
    ].join('\n'),
  ],
]

/**
 * The policy for TPM and VBS-enclave attestation that we recommend (version 1.2 of the language): it
 * issues every claim of `NEEDED_CLAIMS`, from the same events and with the same meaning as the
 * built-in verifier. What a client claims of itself is believed nowhere: each condition names the
 * issuer of the claim that it looks for.
 *
 * Its hash is pinned in reference values: whoever changes one character makes another policy.
 */
export const RECOMMENDED_POLICY = `version=1.2;

configurationrules
{
    // Evidence of an attestation key that no maker of TPMs vouches for gets no token.
    => issueproperty(type="require_valid_aik_cert", value=true);
};

authorizationrules
{
    // What is good enough is decided by Countersign, which can say what has to be repaired.
    => permit();
};

issuancerules
{
${RULES.map(([comment, rules]) => `${indent(comment, '    // ')}\n${indent(rules, '    ')}`).join('\n\n')}
};
`

export const RECOMMENDED_POLICY_HASH = policyHashOf(RECOMMENDED_POLICY)

function indent(text: string, margin: string): string {
  return text.replaceAll(/^/gm, margin)
}
