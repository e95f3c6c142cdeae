// A programme's mapping in Jsonnet, of modules as the reference has them: objects with functions that take `ds`.
local ds = import 'ds.libsonnet';
local patient = import 'modules/patient.libsonnet';
local visits = import 'modules/visits.libsonnet';
{
  map(payload, context):: {
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [patient.patient_entry(ds, payload)] + ds.flatMap(
      ds.filter(payload.enrollments[0].events, function(event, i) event.status == 'COMPLETED'),
      function(event) [visits.encounter_entry(ds, event, context)] + visits.resources_for_event(ds, event)
    ),
  },
  device(context):: [{
    resource: {
      resourceType: 'Device',
      identifier: [{ system: 'http://example.org/system', value: context.system_id }],
      version: [{ value: context.version }],
    },
    request: { method: 'PUT', url: 'Device?identifier=http://example.org/system|' + context.system_id },
  }],
}
