package connection

import "mooring/internal/errs"

// Advice is what a provider's error code tells a user to do.
type Advice struct {
	Field string // path within provider_config; "" when no field is to blame
	Text  string
}

type adviceKey struct{ provider, credential, code string }

// Advise returns the advice for a provider's code. An entry for the kind of
// credentials goes before one for all kinds.
func Advise(provider, credential string, err error) (Advice, bool) {
	e := errs.From(err)
	if e.Origin != errs.Provider {
		return Advice{}, false
	}
	if provider == "tigris" {
		provider = "s3"
	}
	if a, ok := advice[adviceKey{provider, credential, e.Code}]; ok {
		return a, true
	}
	a, ok := advice[adviceKey{provider, "", e.Code}]
	return a, ok
}

const (
	cred      = "credentials."
	setRegion = "the bucket is in another region: check region"
	expired   = "the temporary credentials have expired: give new ones with their session_token"
	badClient = "the client is not known or its secret is wrong or has expired: check credentials.client_id and credentials.client_secret " +
		"(the secret's value, not its id)"
	reauthorize = "the refresh token was revoked, has expired or belongs to another client: authorize again and give a new credentials.refresh_token"
	badTenant   = "the directory does not know this: check credentials.tenant_id and credentials.client_id"
	badKey      = "the key was refused: check credentials.username, account, and that the user has this key's public part (RSA_PUBLIC_KEY)"
)

var advice = map[adviceKey]Advice{
	{"s3", "", "InvalidAccessKeyId"}:    {cred + "access_key_id", "the access key id is not known: check credentials.access_key_id"},
	{"s3", "", "SignatureDoesNotMatch"}: {cred + "secret_access_key", "the secret does not belong to the access key id: check credentials.secret_access_key"},
	{"s3", "", "ExpiredToken"}:          {cred + "session_token", expired},
	{"s3", "", "TokenRefreshRequired"}:  {cred + "session_token", expired},
	{"s3", "", "InvalidToken"}:          {cred + "session_token", "the session token does not belong to the access key: check credentials.session_token"},
	{"s3", "", "AccessDenied"}:          {"", "the credentials are good but may not do this: grant s3:ListBucket on the bucket and s3:GetObject on its objects"},
	{"s3", "iam_role", "AccessDenied"}: {cred + "role_arn", "the role can't be assumed or may not read: check credentials.role_arn, " +
		"and that its trust policy names this server's identity and credentials.external_id"},
	{"s3", "", "NoSuchBucket"}:                       {"bucket", "there is no such bucket: check its name, region and endpoint_url"},
	{"s3", "", "PermanentRedirect"}:                  {"region", setRegion},
	{"s3", "", "AuthorizationHeaderMalformed"}:       {"region", setRegion},
	{"s3", "", "IllegalLocationConstraintException"}: {"region", setRegion},
	{"s3", "", "RequestTimeTooSkewed"}:               {"", "the clock of this machine is wrong: set it"},

	{"google_drive", "oauth", "invalid_grant"}: {cred + "refresh_token", reauthorize},
	{"google_drive", "service_account", "invalid_grant"}: {cred + "private_key", "the key was refused: check that credentials come from one key file " +
		"that is still valid, and that impersonate_user exists"},
	{"google_drive", "", "invalid_client"}: {cred + "client_secret", badClient},
	{"google_drive", "", "unauthorized_client"}: {"impersonate_user", "the service account may not act for this user: an administrator must allow its client id " +
		"the scope drive.readonly under domain-wide delegation, which may take a day to work"},
	{"google_drive", "", "accessNotConfigured"}: {"", "enable the Google Drive API in the project of the credentials"},
	{"google_drive", "", "SERVICE_DISABLED"}:    {"", "enable the Google Drive API in the project of the credentials"},
	{"google_drive", "", "notFound"}:            {"shared_drive_id", "there is no such drive or folder, or it is not shared with this account: share it with credentials.client_email"},

	{"sharepoint", "", "invalid_client"}:      {cred + "client_secret", badClient},
	{"sharepoint", "", "AADSTS7000215"}:       {cred + "client_secret", "the client secret is wrong: give the secret's value, not its id"},
	{"sharepoint", "", "AADSTS7000222"}:       {cred + "client_secret", "the client secret has expired: create a new one"},
	{"sharepoint", "", "unauthorized_client"}: {cred + "client_id", badTenant},
	{"sharepoint", "", "AADSTS700016"}:        {cred + "client_id", badTenant},
	{"sharepoint", "", "AADSTS90002"}:         {cred + "tenant_id", badTenant},
	{"sharepoint", "", "invalid_grant"}:       {cred + "refresh_token", reauthorize},
	{"sharepoint", "", "AADSTS65001"}:         {cred + "refresh_token", reauthorize},
	{"sharepoint", "", "AADSTS70000"}:         {cred + "refresh_token", reauthorize},
	{"sharepoint", "", "AADSTS70008"}:         {cred + "refresh_token", reauthorize},
	{"sharepoint", "", "AADSTS50173"}:         {cred + "refresh_token", reauthorize},
	{"sharepoint", "", "AADSTS700082"}:        {cred + "refresh_token", reauthorize},
	{"sharepoint", "", "AADSTS700084"}:        {cred + "refresh_token", reauthorize},
	{"sharepoint", "", "accessDenied"}:        {"site_id", "the application may not read this: grant Sites.Read.All or Files.Read.All, or the site to Sites.Selected"},
	{"sharepoint", "", "itemNotFound"}:        {"site_id", "there is no such site, library or folder: check site_id, drive_id and folder_path"},

	{"snowflake", "", "390100"}: {cred + "password", "the user name or password is wrong: check credentials.username and credentials.password"},
	{"snowflake", "", "390102"}: {cred + "username", "Snowflake has locked the user for 15 minutes after failed logins"},
	{"snowflake", "", "390144"}: {cred + "private_key", badKey},
	{"snowflake", "", "394300"}: {cred + "username", badKey},
	{"snowflake", "", "394304"}: {cred + "private_key", badKey},
	{"snowflake", "", "390189"}: {"role", "there is no such role: check role"},
	{"snowflake", "", "390186"}: {"role", "the role is not granted to the user: check role"},
	{"snowflake", "", "390201"}: {"database", "a database, schema or warehouse does not exist or is not granted to the role: check database, schema and warehouse"},
	{"snowflake", "", "390422"}: {"", "a network policy of the account refuses this machine's address: allow it"},
	{"snowflake", "", "000606"}: {"warehouse", "the warehouse can't be used: grant USAGE on it to the role"},
	{"snowflake", "", "002003"}: {"database", "the object does not exist or is not granted to the role: check database, schema and role"},
	{"snowflake", "", "260008"}: {"account", "there is no such account: check account"},
}
