// The operations behind the log-in box.

export const LOG_IN = /* GraphQL */ `
  mutation LogIn($input: LoginInput!) {
    login(input: $input) {
      accessToken
      refreshToken
      expiresAt
      user {
        username
        platformRole
      }
    }
  }
`;

export const COMPLETE_SIGN_IN = /* GraphQL */ `
  mutation CompleteSignIn($input: CompleteSignInInput!) {
    completeSignIn(input: $input) {
      accessToken
      refreshToken
      expiresAt
      user {
        username
        platformRole
      }
    }
  }
`;

export const RENEW = /* GraphQL */ `
  mutation RenewSession($input: RefreshSessionInput!) {
    refreshSession(input: $input) {
      accessToken
      refreshToken
      expiresAt
      user {
        username
        platformRole
      }
    }
  }
`;

export const LOG_OUT = /* GraphQL */ `
  mutation LogOut {
    logout {
      ended
    }
  }
`;
