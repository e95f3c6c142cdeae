{
  patient_entry(ds, tei)::
    local held(uid) = ds.filter(tei.enrollments[0].attributes, function(one, i) one.attribute == uid)[0].value;
    {
      fullUrl: 'urn:uuid:' + tei.trackedEntity,
      resource: std.prune({
        resourceType: 'Patient',
        identifier: [{ system: 'http://example.org/phn', value: held('IrUmPkFMDU5') }],
        name: [{ text: ds.trim(held('VQl0wK3eqiw')) }],
        gender: ds.lower(held('p7zizFkC6Lv')),
      }),
      request: { method: 'PUT', url: 'Patient?identifier=http://example.org/phn|' + held('IrUmPkFMDU5') },
    },
}
