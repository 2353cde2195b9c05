package deploy_test

// A templateRole is a role of the CloudFormation template.
type templateRole struct {
	ID, Name, Condition, Trust string

	Policies []string
}

// templateRoles are the roles, and the files of deploy/aws whose rights each of them alone has. The template itself gives several of
// them the rights about the heads.
func templateRoles() []templateRole {
	all := []templateRole{
		{Name: "writer", Condition: "Writes", Policies: []string{"writer"}},
		{Name: "compactor", Policies: []string{"compactor"}},
		{Name: "watch", Policies: []string{"watch"}},
		{Name: "reader", Policies: []string{"reader", "athena"}},
		{Name: "auditor", Policies: []string{"auditor"}},
		{Name: "forget", Policies: []string{"forget"}},
	}
	accounts := map[string]any{
		"writer": functionCall{"Ref": "ServiceAccount"}, "watch": sub("${ServiceAccount}-watch"),
		"compactor": when("Compacts", functionCall{"Ref": "ServiceAccount"}, sub("${ServiceAccount}-compact")),
	}
	for i, r := range all {
		trust := trustPeople()
		if account, pods := accounts[r.Name]; pods {
			trust = trustPods(account)
		}
		all[i].ID, all[i].Trust = logical(r.Name)+"Role", below(trust, 8)
	}
	return all
}

// people are the principals of the account: their own policies decide who may take a role.
const people = `{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}`

func trustPeople() functionCall { return sub(`{"Version":"2012-10-17","Statement":[` + people + `]}`) }

// trustPods trusts EKS Pod Identity, the cluster's tokens, or both. Without both, it trusts people. The document is a text, because
// the issuer is in the name of a key, and CloudFormation cannot compute a key.
func trustPods(account any) functionCall {
	const agent = `{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"Service":"pods.eks.amazonaws.com"},` +
		`"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"${Namespace}",` +
		`"aws:RequestTag/kubernetes-service-account":"${Account}"}}}`
	const token = `{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity",` +
		`"Principal":{"Federated":"arn:${AWS::Partition}:iam::${AWS::AccountId}:oidc-provider/${OidcIssuer}"},` +
		`"Condition":{"StringEquals":{"${OidcIssuer}:aud":"${Audience}",` +
		`"${OidcIssuer}:sub":"system:serviceaccount:${Namespace}:${Account}"}}}`
	with := func(text string) functionCall {
		return functionCall{"Fn::Sub": []any{text, map[string]any{"Account": account}}}
	}
	return functionCall{"Fn::Join": []any{"", []any{
		`{"Version":"2012-10-17","Statement":[`,
		when("ByAgent", with(agent), ""), when("ByBoth", ",", ""), when("ByToken", with(token), ""), when("ByPods", "", sub(people)), "]}",
	}}}
}
